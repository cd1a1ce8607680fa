"""The example that embeds the domain runs as it is printed in the docs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "embed.py"


def test_the_embedding_example_runs_and_tells_its_story() -> None:
    """In a process of its own, as a reader would run it."""
    command = [sys.executable, str(EXAMPLE)]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-3:] == [
        "#1 ends VERIFIED (IN_TIME)",
        "#2 ends EXEMPT (WHITELISTED)",
        "#3 ends TIMED_OUT_CLOSED (DEADLINE)",
    ]
