"""What every test may use: directories that the embedded server's account can enter, and databases."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def open_dir_factory() -> Iterator[Callable[[], Path]]:
    """Make temporary directories that other users can pass through (as root, the server is another user)."""
    made: list[Path] = []

    def make() -> Path:
        directory = Path(tempfile.mkdtemp(prefix="centralbot-test-"))
        directory.chmod(0o711)
        made.append(directory)
        return directory

    yield make
    for directory in made:
        shutil.rmtree(directory)
