"""``python -m tests.mutants``: changes the domain's rules one at a time and shows that the contract suite notices.

Every cell of the transition tables, every guard, every deadline, delay and limit (see ``sites``), each against the
tests of tests/contracts on PostgreSQL. Prints the survivors; the exit status is 1 if there are any.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.mutants.exclusions import EQUIVALENT, in_scope
from tests.mutants.run import DOMAIN, End, Player, Result, learn, play_all
from tests.mutants.server import REPOSITORY, databases
from tests.mutants.sites import Mutant, find


def sample(mutants: list[Mutant], count: int, seed: str) -> list[Mutant]:
    """So many of them, evenly spread over the source; ``seed`` says where to begin."""
    if count >= len(mutants):
        return mutants
    step = len(mutants) / count
    first = random.Random(seed).random() * step
    return [mutants[int(first + number * step)] for number in range(count)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", metavar="PATTERN", help="those whose line in the list this regular expression finds")
    parser.add_argument("--sample", metavar="N", type=int, help="so many, spread over the source")
    parser.add_argument("--seed", default="0", help="which ones the sample takes")
    parser.add_argument("--list", action="store_true", help="print them and play none")
    parser.add_argument("--verbose", action="store_true", help="say of each what became of it")
    parser.add_argument("--confirm", action="store_true", help="a test has to fail twice, lest chance kills")
    parser.add_argument("--jobs", metavar="N", type=int, default=2, help="so many at a time (2)")
    options = parser.parse_args()
    mutants = in_scope(find(DOMAIN))
    if options.only is not None:
        mutants = [mutant for mutant in mutants if re.search(options.only, str(mutant))]
    if options.sample is not None:
        mutants = sample(mutants, options.sample, options.seed)
    if options.list:
        print("\n".join(map(str, mutants)))
        return 0
    return play(mutants, jobs=options.jobs, verbose=options.verbose, confirm=options.confirm)


def play(mutants: list[Mutant], *, jobs: int, verbose: bool, confirm: bool) -> int:
    started = time.monotonic()
    told = 0

    def tell(result: Result) -> None:
        nonlocal told
        told += 1
        if result.end.is_survival or verbose:
            by = f" by {result.by}" if result.by else ""
            print(f"{result.mutant}  [{result.end}{by}]", flush=True)
        if sys.stderr.isatty():
            print(f"\r{told} of {len(mutants)}", end="\r", file=sys.stderr, flush=True)

    before = written()
    with tempfile.TemporaryDirectory(prefix="centralbot-mutants-") as directory, databases(jobs) as dsns:
        Path(directory).chmod(0o711)
        players = [Player(dsns, number, Path(directory)) for number in range(jobs)]
        suite = learn(players)
        learned = time.monotonic() - started
        print(f"{len(suite.seconds)} tests pass without a mutant ({learned:.0f} s)", file=sys.stderr)
        results = play_all(mutants, players, suite, tell, confirm=confirm)
    if written() != before:
        print("a source file was written meanwhile, so this says nothing: run it again", file=sys.stderr)
        return 2
    ends = Counter(result.end for result in results)
    survivors = sum(result.end.is_survival for result in results)
    apart = [f"{ends[end]} {words}" for end, words in APART.items() if ends[end]]
    reasons = f" ({', '.join(apart)})" if apart else ""
    print(
        f"{len(results)} mutants, {len(results) - survivors} killed{reasons}, "
        f"{survivors} survivors, {len(EQUIVALENT)} excluded; {time.monotonic() - started:.0f} s"
    )
    return int(survivors > 0)


def written() -> dict[Path, int]:
    """When each source file was last written: what fails to be imported shall have failed because of the mutant."""
    files = (
        file for top in ("src", "tests") for file in (REPOSITORY / top).rglob("*") if file.suffix in (".py", ".sql")
    )
    return {file: file.stat().st_mtime_ns for file in files}


APART = {End.KILLED_AT_IMPORT: "at import", End.TIMED_OUT: "by time-out"}


if __name__ == "__main__":
    sys.exit(main())
