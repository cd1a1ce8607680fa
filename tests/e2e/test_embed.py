"""The example that embeds the domain runs as it is printed in the docs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "embed.py"


def test_the_embedding_example_runs_and_tells_its_story() -> None:
    """In a process of its own, as a reader would run it."""
    done = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-3:] == [
        "#1 ends VERIFIED (IN_TIME)",
        "#2 ends EXEMPT (WHITELISTED)",
        "#3 ends TIMED_OUT_CLOSED (DEADLINE)",
    ]
