"""Commands over a database of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.entrypoints.commands import SECRET_KEY, Cli


@pytest.fixture
def bare_cli(tmp_path: Path) -> Cli:
    """The command line without any setting."""
    return Cli(tmp_path, {})


@pytest.fixture
def cli(tmp_path: Path, database: str) -> Cli:
    """The command line over a fresh, migrated database."""
    return Cli(tmp_path, {"CENTRALBOT_DATABASE_URL": database, "CENTRALBOT_SECRET_KEY": SECRET_KEY})
