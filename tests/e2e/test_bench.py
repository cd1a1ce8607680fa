"""The benchmark starts; what it measures is never judged here."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from bench import against


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


def test_every_side_is_first_and_last_as_often() -> None:
    """Six turns go through all orders, so that a machine that gets slower meets all sides alike."""
    orders = [against.order(turn) for turn in range(6)]
    assert Counter(one[0] for one in orders) == Counter(one[-1] for one in orders) == {
        against.OURS: 2, against.THEIRS: 2, against.AGAIN: 2,
    }  # fmt: skip


def test_a_build_that_takes_longer_is_below_one() -> None:
    """The ratio is the median of the turns', whether much or little is good; against itself there is no target."""
    takes = {against.OURS: [[2.0], [4.0], [4.0]], against.THEIRS: [[1.0], [3.0], [1.0]], against.AGAIN: [[2.0]] * 3}
    (row, noise) = against.rows(against.COMPARISONS["sweep"], takes)
    assert (row.ratio, row.ok, row.figure) == (0.5, False, "4.00 s (2.00 to 4.00)")
    assert (noise.ratio, noise.ok) == (0.5, True)
    (row, _) = against.rows(against.COMPARISONS["drain"], takes)
    assert (row.ratio, row.ok) == (2.0, True)
