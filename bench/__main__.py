"""``python -m bench``: the figures of speed and memory, side by side in one run. Needs the extras dev and bench."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.table import Row
    from bench.world import World

NAMES = ("ingest", "webhook", "drain", "sweep", "comment", "fairness", "calls", "many", "memory")


def benches() -> dict[str, Callable[[World, bool], list[Row]]]:
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
    options = parser.parse_args()
    chosen = NAMES if options.only is None else tuple(options.only.split(","))
    if unknown := sorted(set(chosen) - set(NAMES)):
        parser.error(f"there is no {', '.join(unknown)}; choose from {', '.join(NAMES)}")
    from bench.table import machine, render
    from bench.world import opened

    rows: list[Row] = []
    failed = False
    with opened() as world:
        version = world.database.execute("show server_version").fetchone()
        for name in chosen:
            started = time.monotonic()
            print(f"{name} …", end="", file=sys.stderr, flush=True)
            try:
                rows += benches()[name](world, options.quick)
            except Exception as exc:  # the other rows are still worth having
                failed = True
                print(f" failed: {type(exc).__name__}: {exc}", file=sys.stderr)
                continue
            print(f" {time.monotonic() - started:.0f} s", file=sys.stderr)
        print(f"\n{machine(version[0] if version else '?')}{', quick' if options.quick else ''}\n\n{render(rows)}")
    return int(failed or not all(row.ok for row in rows))


if __name__ == "__main__":
    sys.exit(main())
