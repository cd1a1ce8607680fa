"""Checks everything that a start depends on."""

from __future__ import annotations

from dataclasses import asdict

import typer

from centralbot.entrypoints.cli.output import AsJson, Progress, emit_json, printable
from centralbot.entrypoints.cli.running import begin, run

MARKS = {"ok": "ok     ", "failed": "FAILED ", "skipped": "skipped"}


def doctor(as_json: AsJson = False) -> None:
    """Check settings, store, schema, clock, GitHub's credentials and permissions; one line each."""
    from centralbot.entrypoints.logs import configure_logging

    environ = begin()
    configure_logging("console", "error")  # what warns is a check's to say
    from centralbot.entrypoints.roots.doctor import Check, examine

    progress = Progress()
    progress.step("checking")

    async def work() -> list[Check]:
        found: list[Check] = []
        async for check in examine(environ):
            found.append(check)
            if not as_json:
                progress.done()
                print(f"{MARKS[check.status]}  {check.name:<16} {printable(check.message)}", flush=True)
        return found

    try:
        checks = run(work())
    finally:
        progress.done()
    if as_json:
        emit_json([asdict(check) for check in checks])
    if any(check.status == "failed" for check in checks):
        raise typer.Exit(1)
