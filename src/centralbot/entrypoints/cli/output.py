"""What commands print: data on stdout as tables or JSON, everything else on stderr, nothing that could forge a line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NoReturn

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


LONGEST_UNBROKEN = 40
"""What is longer, as a reason why something failed, may go over several lines of its cell."""


def printable(text: object) -> str:
    """``text`` with everything that moves a cursor, ends a line or runs backwards written as an escape."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in str(text)
    )


def rfc3339(at: datetime | None) -> str | None:
    """A time for machines."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, or in how long, for people: ``3m``, ``in 2h``."""
    if since is None:
        return ""
    span = now - since
    word = span_words(abs(span))
    return f"in {word}" if span < timedelta(0) else word


def span_words(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * unit_s:
            return f"{seconds // unit_s}{unit}"
    return f"{seconds}s"


def emit_json(data: object, *, lines: bool = False) -> None:
    """One JSON document; ``lines``: on one line, for one of many."""
    print(json.dumps(data, indent=None if lines else 2, default=_plain), flush=True)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def emit_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Rows for people: a table on a terminal that is wide enough, else a field a line; aligned text elsewhere.

    ``empty`` is said where there are none.
    """
    if not rows:
        note(empty)
        return
    cells = [["" if cell is None else printable(cell) for cell in row] for row in rows]
    titles = [column.upper() for column in columns]
    widths = [max(len(line[i]) for line in (titles, *cells)) for i in range(len(columns))]
    if sys.stdout.isatty():
        _on_terminal(columns, cells, sum(min(width, LONGEST_UNBROKEN) + 3 for width in widths))
        return
    for line in (titles, *cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _on_terminal(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if width > console.width:
        for number, row in enumerate(cells):
            print(end="\n" if number else "")
            emit_fields({name: cell for name, cell in zip(columns, row, strict=True) if cell})
        return
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, no_wrap=column == "id", overflow="fold")  # an id is copied
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))  # Text: brackets in a name are no markup
    console.print(table)


def emit_fields(fields: Mapping[str, object]) -> None:
    """One thing, a field a line."""
    width = max(map(len, fields))
    for name, value in fields.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        if isinstance(value, datetime):
            shown = rfc3339(value)
        elif isinstance(value, bool):
            shown = "yes" if value else "no"
        print(f"{name.ljust(width)}  {'-' if shown in (None, '') else printable(shown)}")


def note(text: str) -> None:
    """A remark for people."""
    print(printable(text), file=sys.stderr, flush=True)


def fail(problem: str, *, code: int = 1) -> NoReturn:
    """End with one line that says what is wrong and what to do."""
    note(f"error: {problem}")
    raise typer.Exit(code)


class Progress:
    """How far something long is: on a terminal one line that changes, elsewhere a line every few seconds."""

    def __init__(self, *, every_s: float = 5.0) -> None:
        self._every_s = every_s
        self._last_s = time.monotonic()
        self._live = sys.stderr.isatty()
        self._shown = False

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._live:
            sys.stderr.write(f"\r\x1b[K{what}: {done} of {total}")
            sys.stderr.flush()
            self._shown = True
        elif time.monotonic() - self._last_s >= self._every_s:
            self._last_s = time.monotonic()
            note(f"{what}: {done} of {total}")

    def step(self, what: str) -> None:
        """Say what is being done now."""
        if self._live:
            sys.stderr.write(f"\r\x1b[K{what} ...")
            sys.stderr.flush()
            self._shown = True

    def done(self) -> None:
        """Clear the line."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False


def as_dict(value: Any, *names: str) -> dict[str, object]:
    """Some attributes of a value, for JSON."""
    return {name: getattr(value, name) for name in names}
