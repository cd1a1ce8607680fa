"""This build against another revision of the project: both checked out, same run, same load, in turns.

Each build migrates and fills its own database as its own benchmark does, and runs its own API, worker and sweeper; the
load, the drain and the simulated GitHub are this build's for both. This build takes part twice, so that its figures
against themselves tell the noise.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

import uvloop

from bench import events, latency, load
from bench.table import Row
from bench.throughput import checked, drained, fill, make_due, swept
from bench.world import HERE, Build, World

TARGET = 0.97
OURS, THEIRS, AGAIN = "ours", "theirs", "again"
Turn = Callable[[], Sequence[float]]
"""Measures one side once: a value for each figure."""


@contextmanager
def checked_out(revision: str) -> Iterator[Build]:
    """Another revision beside this one, installed with its own constraints; or a directory where that was done."""
    if Path(revision).is_dir():
        root = Path(revision).absolute()
        yield Build(root, root / ".venv" / "bin" / "python")
        return
    with tempfile.TemporaryDirectory(prefix="centralbot-bench-") as directory:
        root, venv = Path(directory) / "tree", Path(directory) / "venv"
        git = ["git", "-C", str(HERE.root), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(root), revision], check=True)
        try:
            print(f"installing {revision} …", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
            install = [str(venv / "bin" / "pip"), "install", "-q", "-c", "constraints.txt", "-e", ".[dev,bench]"]
            subprocess.run(install, cwd=root, check=True, stdout=sys.stderr, stderr=subprocess.PIPE)
            yield Build(root, venv / "bin" / "python")
        finally:
            subprocess.run([*git, "remove", "--force", str(root)], check=True)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is measured. ``side`` makes a world ready and gives what measures it once; ``less`` of it is better."""

    figures: Sequence[str]
    side: Callable[[World, bool], AbstractContextManager[Turn]]
    unit: str
    less: bool = False


@contextmanager
def _ingest(world: World, quick: bool) -> Iterator[Turn]:
    with world.api() as api:

        def turn() -> Sequence[float]:
            rates = []
            for connections in (16, 64):
                world.clean()
                requests = events.ingest_requests(6000 if quick else 16_000)
                run = uvloop.run(load.drive("127.0.0.1", api.port, requests, connections=connections))
                rates.append(checked(run).per_second)
            return rates

        uvloop.run(load.drive("127.0.0.1", api.port, events.ingest_requests(1000), connections=16))
        yield turn


@contextmanager
def _drain(world: World, quick: bool) -> Iterator[Turn]:
    with world.api() as api:

        def turn() -> Sequence[float]:
            world.clean()
            return [drained(world, api, 10_000 if quick else 30_000)]

        yield turn


@contextmanager
def _sweep(world: World, quick: bool) -> Iterator[Turn]:
    numbers = count(1)

    def turn() -> Sequence[float]:
        make_due(world, next(numbers))
        return [swept(world)]

    world.clean()
    fill(world, 100_000)
    yield turn


@contextmanager
def _comment(world: World, quick: bool) -> Iterator[Turn]:
    def turn() -> Sequence[float]:
        times = latency.until_commented(world, seconds=5 if quick else 10)
        return [load.percentile(times, share) * 1000 for share in (0.5, 0.99)]

    yield turn


COMPARISONS = {
    "ingest": Comparison(("ingest over HTTP, 16 connections", "ingest over HTTP, 64 connections"), _ingest, "/s"),
    "drain": Comparison(("claim + result over HTTP, no-op",), _drain, "/s"),
    "sweep": Comparison(("sweep of 10,000 due among 100,000",), _sweep, " s", less=True),
    "comment": Comparison(
        ("webhook -> comment's POST, 50 PRs/s, p50", "webhook -> comment's POST, 50 PRs/s, p99"),
        _comment, " ms", less=True,
    ),
}  # fmt: skip


def compared(name: str, build: Build, world: World, quick: bool) -> list[Row]:
    """Measure both builds in turns; for each figure its row, and one of this build against itself."""
    comparison = COMPARISONS[name]
    builds = {OURS: HERE, THEIRS: build, AGAIN: HERE}
    values: dict[str, list[Sequence[float]]] = {side: [] for side in builds}
    with ExitStack() as stack:
        turns = {
            side: stack.enter_context(
                comparison.side(stack.enter_context(world.beside(f"{name}_{side}", one)), quick)
            )
            for side, one in builds.items()
        }  # fmt: skip
        for number in range(2 if quick else 5):
            for side in order(number):
                values[side].append(turns[side]())
    return rows(comparison, values)


def order(turn: int) -> tuple[str, ...]:
    """Forwards and backwards, beginning with another one each time: what changes with time meets all alike."""
    sides = (OURS, THEIRS, AGAIN)
    started = sides[turn % 3 :] + sides[: turn % 3]
    return started if turn % 2 == 0 else started[::-1]


def rows(comparison: Comparison, values: Mapping[str, Sequence[Sequence[float]]]) -> list[Row]:
    """Per figure the median of the ratios of each turn, more than one where this build is the better one."""
    made = []
    for at, figure in enumerate(comparison.figures):
        ours, theirs, again = ([turn[at] for turn in values[side]] for side in (OURS, THEIRS, AGAIN))
        for what, other, target in ((figure, theirs, TARGET), (f"{figure}: against itself", again, None)):
            ratios = [b / a if comparison.less else a / b for a, b in zip(ours, other, strict=True)]
            made.append(
                Row(what=what, figure=spread(ours, comparison.unit), reference=spread(other, comparison.unit),
                    ratio=median(ratios), target=target, at_least=True)
            )  # fmt: skip
    return made


def spread(values: Sequence[float], unit: str) -> str:
    """The median, the least and the most."""
    digits = 0 if median(values) >= 100 else 2
    least, middle, most = (f"{value:,.{digits}f}" for value in (min(values), median(values), max(values)))
    return f"{middle}{unit} ({least} to {most})"
