"""The demo's story, told and checked."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.config import Mode, RepoConfig
from centralbot.domain.events import Actor
from centralbot.entrypoints.demo.fleet import Fleet, Json, find_pull, titles
from centralbot.entrypoints.demo.visitor import Visitor, gate_link
from centralbot.ports.admin import Health, Repositories, Whitelist
from centralbot.ports.challenges import Challenges

ORG = "demo-org"
GARDEN, KITCHEN, ATTIC = f"{ORG}/garden", f"{ORG}/kitchen", f"{ORG}/attic"
MAINTAINER = "maintainer"
OPEN_TO_TRY = (GARDEN, 4, "echo")
"""A pull request that still asks its author at the end, for a person to try the page on."""
LONG_S, SHORT_S = 600, 3
NOWHERE = "http://127.0.0.1:9/"
"""The discard port: nobody listens there."""

HEADINGS = {
    "One step before review": "asked",
    "Verified": "verified",
    "No check needed": "no check needed",
    "Closed for now": "told why",
}
"""The headings of the bot's comments, in short."""
ASKED, VERIFIED, EXEMPT, CLOSED = HEADINGS.values()
BY_BOT = "closed by bot"


class Operator(Protocol):
    """What the demo does as an operator: the ports of the store."""

    @property
    def repositories(self) -> Repositories: ...
    @property
    def whitelist(self) -> Whitelist: ...
    @property
    def challenges(self) -> Challenges: ...
    @property
    def health(self) -> Health: ...


Step = Callable[[str], AbstractContextManager[None]]
"""Shows a step while it runs, and how it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """One pull request at the end: what GitHub should show of it, and what it does."""

    repository: str
    number: int
    story: str
    expected: str
    found: str

    @property
    def ok(self) -> bool:
        return self.expected == self.found


ENDINGS = (
    (GARDEN, 1, "gated, verified", "open", (VERIFIED,)),
    (KITCHEN, 1, "gated, timed out", BY_BOT, (ASKED, CLOSED)),
    (GARDEN, 2, "whitelisted author", "open", (EXEMPT,)),
    (GARDEN, 3, "draft made ready", "open", (ASKED,)),
    (ATTIC, 1, "repository removed", "open", ()),
    (GARDEN, 4, "delivered twice", "open", (ASKED,)),
)


def endings(snapshot: Json) -> list[Ending]:
    """Every pull request of the story, as GitHub shows it now."""
    return [
        Ending(
            repository=repository,
            number=number,
            story=story,
            expected=words(state, *comments),
            found=seen(find_pull(snapshot, repository, number)),
        )
        for repository, number, story, state, comments in ENDINGS
    ]


def seen(pull: Json) -> str:
    """A pull request in words: its state, and what its comments say."""
    closed_by = {None: None, "centralbot[bot]": "bot"}.get(pull["closed_by"], pull["closed_by"])
    state = f"closed by {closed_by}" if closed_by else "draft" if pull["draft"] else str(pull["state"])
    return words(state, *(HEADINGS.get(title, title) for title in titles(pull)))


def words(state: str, *comments: str) -> str:
    return f"{state}: {' + '.join(comments) or 'no comment'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The steps. Raises DemoError at the first that does not come to pass."""

    fleet: Fleet
    operator: Operator
    step: Step

    async def play(self) -> None:
        github = self.fleet.github
        with self.step(f"the App is installed on {ORG} with three repositories"):
            ids = await self._install()
        with self.step("mona opens garden#1: the bot asks her to verify"):
            await github.act("open_pull_request", repository=GARDEN, author="mona", title="Plant beans")
            await self._shows(GARDEN, 1, words("open", ASKED))
        with self.step("pat opens kitchen#1 and goes to lunch"):
            await github.act("open_pull_request", repository=KITCHEN, author="pat", title="Sharpen knives")
        with self.step("mona follows the link, signs in and verifies: her comment says so"):
            await self._begun(ids[GARDEN], 1)
            async with Visitor("mona") as mona:
                await mona.pass_gate(gate_link(await github.pull(GARDEN, 1)))
            await self._shows(GARDEN, 1, words("open", VERIFIED))
        with self.step("willow, who is on the whitelist, opens garden#2"):
            await github.act("open_pull_request", repository=GARDEN, author="willow", title="Water the beans")
            await self._shows(GARDEN, 2, words("open", EXEMPT))
        with self.step("dot opens garden#3 as a draft: left alone until it is ready for review"):
            await self._draft()
        with self.step("garden#4's delivery comes twice, once to each worker"):
            await self._twice(ids[GARDEN])
        with self.step("attic leaves the installation; a late delivery for attic#1 is ignored"):
            await self._remove(ids[ATTIC])
        with self.step(f"pat's {SHORT_S} seconds run out: the bot says so and closes kitchen#1"):
            await self._shows(KITCHEN, 1, words(BY_BOT, ASKED, CLOSED))
        with self.step("nothing is left to do"):
            await self.fleet.until("an empty outbox", self._is_quiet)

    async def _install(self) -> dict[str, int]:
        github, operator = self.fleet.github, self.operator
        await github.act("add_organization", login=ORG, members=[MAINTAINER])
        ids: dict[str, int] = {}
        for name, window_s in ((GARDEN, LONG_S), (KITCHEN, SHORT_S), (ATTIC, LONG_S)):
            ids[name] = await github.act("add_repository", full_name=name)
            config = RepoConfig(mode=Mode.ENFORCE, window_s=window_s, draft_prs_gated=False)
            await operator.repositories.configure(ids[name], config, actor="demo")
        willow = Actor(id=await github.act("add_user", login="willow"), login="willow")
        await operator.whitelist.add(ids[GARDEN], willow, actor="demo")
        await github.act("install", account=ORG, repositories=list(ids.values()))
        for name, repo_id in ids.items():
            await self._connected(name, repo_id, True)
        return ids

    async def _connected(self, name: str, repo_id: int, wanted: bool) -> None:
        async def probe() -> bool:
            record = await self.operator.repositories.get(repo_id)
            return record is not None and record.connected is wanted

        await self.fleet.until(f"{name} {'in' if wanted else 'out of'} the installation", probe)

    async def _shows(self, repository: str, number: int, wanted: str) -> None:
        async def probe() -> bool:
            return seen(await self.fleet.github.pull(repository, number)) == wanted

        await self.fleet.until(f"{repository}#{number} to be {wanted}", probe)

    async def _begun(self, repo_id: int, number: int) -> None:
        """Wait until the posted comment is known: from here on the author has the window."""

        async def probe() -> bool:
            found = await self.operator.challenges.search(repo_id=repo_id, status=ChallengeStatus.PENDING)
            return any(one.pr_number == number and one.deadline_at is not None for one in found)

        await self.fleet.until(f"the challenge of #{number} to begin", probe)

    async def _delivered(self, what: str, **wanted: object) -> Json:
        return await self.fleet.until(
            f"the delivery of {what}", lambda: self.fleet.github.delivery(**wanted, status_code=200)
        )

    async def _draft(self) -> None:
        github = self.fleet.github
        await github.act("open_pull_request", repository=GARDEN, author="dot", draft=True, title="Try peas")
        await self.fleet.until("the draft's delivery", github.is_idle)
        await self._shows(GARDEN, 3, words("draft"))
        await github.act("ready_for_review", repository=GARDEN, number=3)
        await self._shows(GARDEN, 3, words("open", ASKED))

    async def _installation(self) -> int:
        return int((await self.fleet.github.snapshot())["installations"][0]["id"])

    async def _twice(self, repo_id: int) -> None:
        github, (first, second) = self.fleet.github, tuple(self.fleet.workers)
        await github.act("open_pull_request", repository=GARDEN, author="echo", title="Echo, echo")
        await self._shows(GARDEN, 4, words("open", ASKED))
        await self.fleet.until("garden#4's delivery", github.is_idle)
        latest = await self._delivered("garden#4", action="opened", repository_id=repo_id)
        await self.fleet.hook(second)
        await github.act("redeliver", delivery_id=latest["id"])
        await self._delivered("garden#4 again", guid=latest["guid"], redelivery=True)
        await self.fleet.hook(first)

    async def _remove(self, repo_id: int) -> None:
        """The first delivery goes nowhere; by the time somebody presses Redeliver, the repository has left."""
        github = self.fleet.github
        await github.act("configure_delivery", url=NOWHERE)
        await github.act("open_pull_request", repository=ATTIC, author="late", title="Sweep the attic")
        lost = await self.fleet.until("the lost delivery", lambda: github.delivery(repository_id=repo_id))
        await self.fleet.hook(next(iter(self.fleet.workers)))
        await github.act("remove_repositories", installation_id=await self._installation(), repositories=[repo_id])
        await self._connected(ATTIC, repo_id, False)
        await github.act("redeliver", delivery_id=lost["id"])
        await self._delivered("attic#1 at last", guid=lost["guid"], redelivery=True)

    async def _is_quiet(self) -> bool:
        backlog = await self.operator.health.backlog()
        return backlog.due_challenges == 0 and not any(
            count for status, count in backlog.by_status.items() if status in ("PENDING", "CLAIMED")
        )


MARKS = {"running": ("…", "yellow"), "done": ("✓", "green"), "failed": ("✗", "red")}


@dataclass
class View:
    """Everything goes to ``console``; ``live`` where it is a terminal."""

    console: Console
    live: bool
    steps: list[tuple[str, str, float]] = field(default_factory=list)
    pulls: Sequence[Json] = ()
    _screen: Live | None = None

    @classmethod
    def on(cls, *, as_json: bool) -> View:
        """On stdout; on stderr where stdout is for the JSON."""
        console = Console(stderr=as_json, highlight=False, soft_wrap=False)
        return cls(console, live=console.is_terminal and (sys.stderr if as_json else sys.stdout).isatty())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep the screen up to date for as long as the block runs."""
        if not self.live:
            yield
            return
        self._screen = Live(get_renderable=self._render, console=self.console, refresh_per_second=8)
        self._screen.start()
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """Leave the steps on the screen."""
        self.pulls = ()
        if self._screen is not None:
            self._screen.stop()
            self._screen = None

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """One step: running, then done, or failed where the block raises."""
        began_s = time.monotonic()
        self.steps.append((what, "running", 0.0))
        state = "failed"
        try:
            yield
            state = "done"
        finally:
            self.steps[-1] = (what, state, time.monotonic() - began_s)
            if not self.live:
                self.console.print(_line(*self.steps[-1]), soft_wrap=True)

    def show(self, snapshot: Json) -> None:
        """What GitHub shows now."""
        self.pulls = snapshot["pull_requests"]

    def say(self, text: str) -> None:
        """A line of its own."""
        self.console.print(Text(text), soft_wrap=True)

    def ending(self, endings: Sequence[Ending]) -> None:
        """The table of what GitHub shows at the end, beside what it should show."""
        table = Table(box=box.SIMPLE_HEAD, title="What GitHub shows now", title_justify="left")
        for column in ("pull request", "story", "expected", "found", ""):
            table.add_column(column, overflow="fold")
        for one in endings:
            mark, style = MARKS["done" if one.ok else "failed"]
            number = f"{one.repository.partition('/')[2]}#{one.number}"
            table.add_row(number, one.story, Text(one.expected), Text(one.found, style), Text(mark, style))
        self.console.print(table)

    def _render(self) -> Group:
        lines = [_line(*step) for step in self.steps]
        table = Table(box=box.SIMPLE_HEAD, title="GitHub (simulated)", title_justify="left")
        for column in ("pull request", "author", "title", "what it shows"):
            table.add_column(column)
        for pull in self.pulls:
            name = f"{pull['repository']}#{pull['number']}"
            table.add_row(*(Text(str(cell)) for cell in (name, pull["author"], pull["title"], seen(pull))))
        return Group(*lines, Text(), table) if self.pulls else Group(*lines)


def _line(what: str, state: str, took_s: float) -> Text:
    mark, style = MARKS[state]
    return Text.assemble((f"{mark} ", style), what, ("" if state == "running" else f"  {took_s:.1f} s", "dim"))
