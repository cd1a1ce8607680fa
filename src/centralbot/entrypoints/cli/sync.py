"""Asks GitHub and repairs."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from centralbot.entrypoints.cli.arguments import HIGHEST_ID
from centralbot.entrypoints.cli.output import AsJson, Progress, emit_fields, emit_json, note
from centralbot.entrypoints.cli.running import open_store, read_settings, run


def sync(
    installation: Annotated[int | None, typer.Option(min=1, max=HIGHEST_ID, help="Only this one.")] = None,
    since_hours: Annotated[float, typer.Option(min=0, max=168, help="How old failed deliveries may be.")] = 72,
    as_json: AsJson = False,
) -> None:
    """Ask GitHub and repair: installations, their repositories, deliveries that failed."""
    from centralbot.entrypoints.settings import load_github_app_settings
    from centralbot.ports.driving.sync import GitHubSync, SyncReport

    github = load_github_app_settings(read_settings())
    from centralbot.entrypoints.roots.github import open_app

    progress = Progress()

    async def work() -> SyncReport:
        async with open_store() as backend, open_app(github) as app:
            use_case = GitHubSync(
                github=app.installations,
                repositories=backend.store.repositories,
                health=backend.store.health,
                ingest=backend.ingest,
                progress=progress,
            )
            progress.step("asking GitHub")
            return await use_case.run(
                secrets.token_hex(8), since=timedelta(hours=since_hours), installation_id=installation
            )

    try:
        report = run(work())
    finally:
        progress.done()
    if as_json:
        emit_json(asdict(report))
    else:
        emit_fields({name.replace("_", " "): value for name, value in asdict(report).items() if name != "failures"})
    for failure in report.failures:
        note(f"error: {failure}")
    if report.failures:
        raise typer.Exit(1)
