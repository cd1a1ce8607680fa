"""The benchmark starts; what it measures is never judged here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_benchmark_explains_itself() -> None:
    """``python -m bench --help`` names its parts."""
    repository = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--help"],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "ingest" in done.stdout) == (0, True)
