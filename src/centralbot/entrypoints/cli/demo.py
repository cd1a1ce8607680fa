"""The demo: everything at once, on this machine, for real."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from centralbot.entrypoints.cli.output import AsJson, emit_json, note

if TYPE_CHECKING:
    from centralbot.entrypoints.demo.story import Ending

STOPPED = 130


def demo(
    stay: Annotated[bool, typer.Option("--stay", help="Keep everything up afterwards, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play a story of gated, verified, timed-out and exempt pull requests, and check what GitHub shows at the end.

    Starts an embedded PostgreSQL, a simulated GitHub, the API, two workers and the sweeper as real processes on free
    ports and in a temporary directory; nothing of it is left. No setting is needed, none is read.
    """
    from centralbot.entrypoints.demo.view import View
    from centralbot.entrypoints.logs import configure_logging
    from centralbot.entrypoints.roots import demo as root

    configure_logging("console", "warning")
    view = View.on(as_json=as_json)
    wrong: list[Ending] = []

    def on_end(endings: list[Ending]) -> None:
        wrong.extend(one for one in endings if not one.ok)
        if as_json:
            emit_json({"ok": not wrong, "pull_requests": [asdict(one) | {"ok": one.ok} for one in endings]})
        else:
            view.ending(endings)

    try:
        asyncio.run(root.play(view, stay=stay, on_end=on_end))
    except asyncio.CancelledError:
        note("stopped; nothing is left running")
        raise typer.Exit(STOPPED) from None
    if wrong:
        note(f"error: {len(wrong)} of the pull requests above are not as they should be")
        raise typer.Exit(1)
    if not as_json:
        view.say("All as it should be.")
