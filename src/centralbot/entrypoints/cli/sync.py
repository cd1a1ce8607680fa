"""Asks GitHub and repairs."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from centralbot.entrypoints.cli.arguments import HIGHEST_ID
from centralbot.entrypoints.cli.output import AsJson, Progress, emit_fields, emit_json, note
from centralbot.entrypoints.cli.running import begin, open_store, run


def sync(
    installation: Annotated[int | None, typer.Option(min=1, max=HIGHEST_ID, help="Only this one.")] = None,
    since_hours: Annotated[float, typer.Option(min=0, max=168, help="How old failed deliveries may be.")] = 72,
    pull_requests: Annotated[
        bool, typer.Option("--pull-requests/--no-pull-requests", help="Look for open pull requests without a check.")
    ] = True,
    since_days: Annotated[float, typer.Option(min=0, max=30, help="How old such pull requests may be.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Ask GitHub and repair: installations, their repositories, deliveries that failed, open pull requests.

    An open pull request that no webhook told of gets its check now, but never one that is older than its gate: than
    its repository in the installation, or than the repository's configuration as it is now. Those are left alone, and
    so are repositories without a configuration of their own, since nobody knows since when they are gated. Checks
    carry links: run it with the settings of serve-api.
    """
    from centralbot.entrypoints.settings import load_gate_settings, load_github_app_settings
    from centralbot.ports.driving.sync import GitHubSync
    from centralbot.ports.driving.sync_pull_requests import OpenPullRequestSync
    from centralbot.ports.driving.sync_report import SyncReport

    environ = begin()
    github, public_url = load_github_app_settings(environ), load_gate_settings(environ).public_url
    nowhere = leads_nowhere(public_url, github.api_url) if pull_requests else None
    from centralbot.entrypoints.roots.github import open_app

    progress = Progress()

    async def work() -> SyncReport:
        async with open_store(environ) as backend, open_app(github) as app:
            lost = OpenPullRequestSync(
                github=app.open_pull_requests, ingest=backend.ingest, default_mode=backend.gate.defaults.mode
            )
            use_case = GitHubSync(
                github=app.installations,
                repositories=backend.store.repositories,
                health=backend.store.health,
                ingest=backend.ingest,
                pull_requests=lost if pull_requests and nowhere is None else None,
                progress=progress,
            )
            progress.step("asking GitHub")
            return await use_case.run(
                secrets.token_hex(8),
                since=timedelta(hours=since_hours),
                pull_requests_since=timedelta(days=since_days),
                installation_id=installation,
            )

    try:
        report = run(work())
    finally:
        progress.done()
    if nowhere is not None:
        report.failures.append(nowhere)
    if as_json:
        emit_json(asdict(report))
    else:
        emit_fields({name.replace("_", " "): value for name, value in asdict(report).items() if name != "failures"})
    if report.repositories_left_alone:
        note(
            f"note: not known since when {report.repositories_left_alone} repositories are gated: their open pull "
            f"requests were left alone (give each a configuration: centralbot repos set REPO_ID --mode enforce)"
        )
    for failure in report.failures:
        note(f"error: {failure}")
    if report.failures:
        raise typer.Exit(1)


def leads_nowhere(public_url: str, api_url: str) -> str | None:
    """Why no pull request may get a check, whose link would lead to each reader's own machine; None where it may."""
    from centralbot.entrypoints.setup.manifest import is_loopback

    if not is_loopback(public_url) or is_loopback(api_url):
        return None
    return (
        f"pull requests: CENTRALBOT_PUBLIC_URL ({public_url}) leads to this machine alone, so that nobody could pass a "
        f"check; set it as serve-api has it, or say --no-pull-requests"
    )
