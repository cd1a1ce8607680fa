"""Plays the suite on every mutant, a few at a time, the tests that are likeliest to notice first."""

from __future__ import annotations

import importlib
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.connection import wait
from pathlib import Path

from tests.mutants.child import OUTSIDE, Job, Line, Played, Verdict, play
from tests.mutants.server import REPOSITORY, Databases
from tests.mutants.sites import Mutant

DOMAIN, PACKAGE = REPOSITORY / "src" / "centralbot" / "domain", "centralbot.domain"
SUITE = REPOSITORY / "tests" / "contracts"
FIRST_TESTS = 25
"""So many are tried before the rest is: collecting every file takes as long as they do."""
MANY = 10
"""So many tests do not run a line just because one of them had to be the first."""
PATIENCE_S, SLOWNESS = 20.0, 5.0
"""A mutant may take so many times as long as the tests took without it, and so much more; then it hangs."""


class End(StrEnum):
    KILLED = "killed"
    KILLED_AT_IMPORT = "killed at import"
    TIMED_OUT = "killed by time-out"
    SURVIVED = "survived"
    NOT_RUN = "survived: no test runs it"

    @property
    def is_survival(self) -> bool:
        return self in (End.SURVIVED, End.NOT_RUN)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant, and which test noticed it."""

    mutant: Mutant
    end: End
    by: str = ""


@dataclass(slots=True)
class Suite:
    """What playing the suite without a mutant told, and which tests have killed since, the latest last."""

    seconds: dict[str, float]
    lines: dict[Line, set[str]]
    killers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def order(self, mutant: Mutant) -> list[str]:
        """The tests that may notice, the likeliest first; none where no test runs the mutant's lines.

        Those that run the lines; all of them where the mutant acts at import, or where so few run them that it may be
        one whose outcome is kept for all (SQL that is filled in once).
        """
        covering: set[str] = set()
        for line in mutant.lines:
            covering |= self.lines.get((str(mutant.path), line), set())
        if not covering and not mutant.at_import:
            return []
        likely, others = covering, set[str]()
        if mutant.at_import or OUTSIDE in covering or len(covering) < MANY:
            likely = self._running(mutant.path) if mutant.at_import or OUTSIDE in covering else covering
            others = self.seconds.keys() - likely
        latest = {name: at for at, name in enumerate(self.killers[mutant.module] + self.killers[mutant.where])}

        def rank(name: str) -> tuple[int, bool, float, str]:
            return -latest.get(name, -1), name not in likely, self.seconds[name], name

        return sorted((likely | others) - {OUTSIDE}, key=rank)

    def _running(self, path: Path) -> set[str]:
        return set().union(*(tests for (file, _), tests in self.lines.items() if file == str(path)))

    def killed(self, mutant: Mutant, by: str) -> None:
        for key in (mutant.module, mutant.where):
            names = self.killers[key]
            with suppress(ValueError):
                names.remove(by)
            names.append(by)


class Player:
    """Where one mutant at a time is played: a database, and the process that is at it."""

    def __init__(self, databases: Databases, number: int, directory: Path) -> None:
        self.server, self.database = databases.server, databases.players[number]
        self.log = directory / f"player-{number}.log"

    def start(self, *, files: Iterable[str], seconds: float, **job: object) -> None:
        self.until = time.monotonic() + PATIENCE_S + SLOWNESS * seconds
        paths = [str(REPOSITORY / file) for file in dict.fromkeys(files)]
        whole = Job(files=paths, server=self.server, database=self.database, log=self.log, **job)  # type: ignore[arg-type]
        context = multiprocessing.get_context("fork")
        self.answer, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=play, args=(whole, theirs))
        self.process.start()
        theirs.close()

    def finish(self) -> Played | None:
        """What the process answered; None if it had to be ended."""
        played: Played | None = None
        try:
            if self.answer.poll(max(0.0, self.until - time.monotonic())):
                played = self.answer.recv()
        except EOFError:  # it ended without a word
            played = Played()
        if played is None:
            self.process.kill()
        self.process.join()
        self.answer.close()
        if played is not None and played.verdict is Verdict.UNPLAYED:
            raise RuntimeError(f"the suite could not be played:\n{self.log.read_text(errors='replace')[-3000:]}")
        return played


def learn(players: Sequence[Player]) -> Suite:
    """Play the suite as it is, shared out over the players, and import here what else it imports.

    Raises RuntimeError if it fails.
    """
    files = sorted(str(file.relative_to(REPOSITORY)) for file in SUITE.glob("test_*.py"))
    for number, player in enumerate(players):
        player.start(files=files[number :: len(players)], seconds=60, watched=DOMAIN)
    suite = Suite({}, {})
    for player in players:
        played = player.finish()
        if played is None or played.verdict is not Verdict.PASSED:
            raise RuntimeError(f"the suite fails as it is:\n{player.log.read_text(errors='replace')[-3000:]}")
        suite.seconds |= played.seconds
        for line, tests in played.lines.items():
            suite.lines.setdefault(line, set()).update(tests)
        for module in played.modules:
            with suppress(ImportError):
                importlib.import_module(module)  # forked players have it then
    return suite


@dataclass(slots=True)
class Turn:
    """A mutant that is being played: tests that are at it, and those that come after them; one that is to confirm."""

    mutant: Mutant
    chunks: list[list[str]]
    playing: list[str] = field(default_factory=list)
    noticed_by: str = ""

    def next(self) -> list[str]:
        """The next tests, or none."""
        self.playing = next((chunk for chunk in self.chunks if chunk), [])
        self.chunks = self.chunks[self.chunks.index(self.playing) + 1 :] if self.playing else []
        return self.playing

    def doubt(self, test: str) -> None:
        """Play this one again before those that it kept from being played."""
        rest = self.playing[self.playing.index(test) + 1 :]
        self.chunks, self.noticed_by = [[test], rest, *self.chunks], test


def play_all(
    mutants: Iterable[Mutant],
    players: Sequence[Player],
    suite: Suite,
    tell: Callable[[Result], None],
    *,
    confirm: bool = False,
) -> list[Result]:
    """Every mutant's result, in the order in which they came; ``tell`` is told at once.

    ``confirm``: a test has to fail twice, so that one that fails now and then kills nothing.
    """
    results: list[Result] = []
    waiting = iter(mutants)
    turns: dict[Player, Turn] = {}

    def ended(mutant: Mutant, end: End, by: str = "") -> None:
        results.append(Result(mutant, end, by))
        tell(results[-1])

    def begin(player: Player) -> None:
        for mutant in waiting:
            order = suite.order(mutant)
            if order:
                go_on(player, Turn(mutant, [order[:FIRST_TESTS], order[FIRST_TESTS:]]))
                return
            ended(mutant, End.NOT_RUN)

    def go_on(player: Player, turn: Turn) -> None:
        if not (tests := turn.next()):
            ended(turn.mutant, End.SURVIVED)
            return
        turns[player] = turn
        player.start(
            files=(name.partition("::")[0] for name in tests),
            tests=tests,
            seconds=sum(suite.seconds[name] for name in tests),
            module=f"{PACKAGE}.{turn.mutant.module}",
            source=turn.mutant.source,
        )

    while True:
        for player in players:
            if player not in turns:
                begin(player)
        if not turns:
            return results
        for player in _ready(turns):
            turn, played = turns.pop(player), player.finish()
            if played is None:
                ended(turn.mutant, End.TIMED_OUT)
            elif played.verdict is Verdict.BROKEN:
                ended(turn.mutant, End.KILLED_AT_IMPORT)
            elif played.verdict is Verdict.PASSED:
                go_on(player, turn)
            elif confirm and turn.noticed_by != played.by:
                turn.doubt(played.by)
                go_on(player, turn)
            else:
                suite.killed(turn.mutant, played.by)
                ended(turn.mutant, End.KILLED, played.by)


def _ready(turns: dict[Player, Turn]) -> Iterator[Player]:
    soonest = min(player.until for player in turns)
    ready = wait([player.answer for player in turns], timeout=max(0.0, soonest - time.monotonic()))
    now = time.monotonic()
    return iter([player for player in turns if player.answer in ready or player.until <= now])
