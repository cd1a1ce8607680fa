"""``python -m bench``: the figures of speed and memory, side by side in one run. Needs the extras dev and bench."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.table import Row
    from bench.world import World

NAMES = ("ingest", "webhook", "drain", "sweep", "comment", "fairness", "calls", "many", "memory")
COMPARED = ("ingest", "drain", "sweep", "comment")
Bench = Callable[["World", bool], "list[Row]"]


@contextmanager
def comparisons(revision: str) -> Iterator[dict[str, Bench]]:
    """The benchmarks that compare this build with another one."""
    from bench import against

    with against.checked_out(revision) as build:
        yield {name: partial(against.compared, name, build) for name in COMPARED}


def benches() -> dict[str, Bench]:
    """The benchmarks by name, in the order in which they run."""
    from bench import latency, memory, throughput

    return {
        "ingest": throughput.ingest,
        "webhook": throughput.webhook,
        "drain": throughput.drain,
        "sweep": throughput.sweep,
        "comment": latency.comment,
        "fairness": latency.fairness,
        "calls": latency.calls,
        "many": latency.many,
        "memory": memory.memory,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", metavar="NAMES", help=f"some of {','.join(NAMES)}, separated by commas")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer: less exact")
    parser.add_argument(
        "--against", metavar="REV", help="compare with another revision of this project, or a directory that has one"
        f" with its .venv: {','.join(COMPARED)}, in turns",
    )  # fmt: skip
    options = parser.parse_args()
    names = NAMES if options.against is None else COMPARED
    chosen = names if options.only is None else tuple(options.only.split(","))
    if unknown := sorted(set(chosen) - set(names)):
        parser.error(f"there is no {', '.join(unknown)}; choose from {', '.join(names)}")
    from bench.table import machine, render
    from bench.world import opened

    rows: list[Row] = []
    failed = False
    with ExitStack() as stack:
        functions = benches() if options.against is None else stack.enter_context(comparisons(options.against))
        world = stack.enter_context(opened())
        version = world.database.execute("show server_version").fetchone()
        for name in chosen:
            started = time.monotonic()
            print(f"{name} …", end="", file=sys.stderr, flush=True)
            try:
                rows += functions[name](world, options.quick)
            except Exception as exc:  # the other rows are still worth having
                failed = True
                print(f" failed: {type(exc).__name__}: {exc}", file=sys.stderr)
                continue
            print(f" {time.monotonic() - started:.0f} s", file=sys.stderr)
        print(f"\n{machine(version[0] if version else '?')}{', quick' if options.quick else ''}\n\n{render(rows)}")
    return int(failed or not all(row.ok for row in rows))


if __name__ == "__main__":
    sys.exit(main())
