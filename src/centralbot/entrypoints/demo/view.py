"""What a person sees of the demo: steps and pull requests that change in place on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from centralbot.entrypoints.demo.github import Json
from centralbot.entrypoints.demo.story import Ending, seen

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
