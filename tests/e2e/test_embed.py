"""The example that embeds the domain runs as the docs print it, with the standard library and centralbot alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import centralbot

EXAMPLE = Path(__file__).parents[2] / "examples" / "embed.py"
SOURCE = Path(centralbot.__file__).parent.parent
ISOLATED = """
import runpy, sys
sys.path.append(sys.argv[1])
runpy.run_path(sys.argv[2], run_name="__main__")
modules = {name for name in sys.modules if not name.startswith(("centralbot.domain", "__main__"))}
outside = sorted(name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names)
print("beside the standard library and the domain:", *outside)
"""


def test_the_example_tells_its_story_over_a_store_of_its_own() -> None:
    """Twice delivered, taken over from a bot that died, passed in time, closed, reopened after a late pass, spared."""
    command = [sys.executable, "-I", "-S", "-c", ISOLATED, str(SOURCE), str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout.splitlines()
    assert told[:4] == [
        "#1 by quick: CHALLENGED",
        "#1 by quick: taken before",
        "#2 by trusted: EXEMPT",
        "#2 by trusted: taken before",
    ]
    assert [line for line in told if "bot does CLOSE" in line or "bot does REOPEN" in line] == [
        "#3: the bot does CLOSE_PR_WITH_COMMENT",
        "#4: the bot does CLOSE_PR_WITH_COMMENT",
        "#4: the bot does REOPEN_PR_WITH_COMMENT",
    ]
    assert "#5: the bot withholds UPSERT_PR_COMMENT" in told
    assert told[-6:] == [
        "#1 ends VERIFIED (IN_TIME)",
        "#2 ends EXEMPT (WHITELISTED)",
        "#3 ends TIMED_OUT_CLOSED (DEADLINE)",
        "#4 ends VERIFIED (LATE)",
        "#5 ends EXEMPT (EXEMPT_PERMISSION)",
        "beside the standard library and the domain: centralbot",
    ]
