"""Sweeping, repairing from GitHub's word, and replaying a webhook."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from centralbot.domain.errors import Unavailable
from centralbot.domain.signing import webhook_signature
from centralbot.entrypoints.cli.output import AsJson, Progress, emit_fields, emit_json, fail, note, printable
from centralbot.entrypoints.cli.running import HIGHEST_ID, begin, leave_on_sigterm, open_store, run, run_server

if TYPE_CHECKING:
    from centralbot.entrypoints.roots.backend import Backend
    from centralbot.ports.use_cases.sweep import SweepReport


RETENTION_EVERY_S = 300.0
LAST_PASS_S = 3.0


def sweep(
    watch: Annotated[bool, typer.Option("--watch", help="Keep sweeping until SIGTERM or Ctrl-C.")] = False,
    interval_s: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between two passes.")] = 15,
    as_json: AsJson = False,
) -> None:
    """Time out what is due, return expired leases, forget what is old; says what it did, one line a pass."""
    if watch:
        leave_on_sigterm()
    run_server(_watch(interval_s, as_json) if watch else _once(as_json))


async def _once(as_json: bool) -> None:
    async with open_store() as backend:
        _say(await backend.sweep.once(), as_json)


async def _watch(interval_s: float, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with open_store(quiet=False) as backend:
        prune_at_s = 0.0
        while not stop.is_set():
            retention = time.monotonic() >= prune_at_s
            if retention:
                prune_at_s = time.monotonic() + RETENTION_EVERY_S
            await _pass(backend, stop, retention=retention, as_json=as_json)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), interval_s)


async def _pass(backend: Backend, stop: asyncio.Event, *, retention: bool, as_json: bool) -> None:
    """One pass. A store that cannot answer is logged, and the next pass tries again."""
    import structlog

    work = asyncio.create_task(_checked(backend, retention=retention))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not work.done():
        await asyncio.wait((work,), timeout=LAST_PASS_S)
        work.cancel()
    try:
        _say(await work, as_json)
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    except Unavailable as exc:
        structlog.get_logger("centralbot").warning("sweep.failed", error=exc.message, hint="the next pass tries again")


async def _checked(backend: Backend, *, retention: bool) -> SweepReport:
    """A pass of one that may have been left out when the secret key was changed: its links would be dead."""
    from centralbot.entrypoints.secret_key import check_secret_key

    await check_secret_key(backend.store.keys)
    return await backend.sweep.once(retention=retention)


def _say(report: SweepReport, as_json: bool) -> None:
    if as_json:
        emit_json(asdict(report), lines=True)
    else:
        print(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in asdict(report).items()), flush=True)


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
    from centralbot.ports.use_cases.sync import GitHubSync
    from centralbot.ports.use_cases.sync_pull_requests import OpenPullRequestSync
    from centralbot.ports.use_cases.sync_report import SyncReport

    environ = begin()
    github, public_url = load_github_app_settings(environ), load_gate_settings(environ).public_url
    nowhere = leads_nowhere(public_url, github.api_url) if pull_requests else None
    from centralbot.entrypoints.roots.worker import open_app

    progress = Progress()

    async def work() -> SyncReport:
        async with open_store(environ) as backend, open_app(github) as app:
            lost = OpenPullRequestSync(
                github=app.open_pull_requests, ingest=backend.ingest, default_mode=backend.context.defaults.mode
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
    from centralbot.entrypoints.setup import is_loopback

    if not is_loopback(public_url) or is_loopback(api_url):
        return None
    return (
        f"pull requests: CENTRALBOT_PUBLIC_URL ({public_url}) leads to this machine alone, so that nobody could pass a "
        f"check; set it as serve-api has it, or say --no-pull-requests"
    )


TIMEOUT_S = 15.0
SHOWN = 2000


def replay(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="The payload, as sent.")],
    event: Annotated[str, typer.Option(help="Its event, such as pull_request.")],
    url: Annotated[str | None, typer.Option(help="The worker; by default as CENTRALBOT_WORKER_* say.")] = None,
    delivery_id: Annotated[str | None, typer.Option(help="Its delivery id; a new one by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send a saved payload, signed with CENTRALBOT_GITHUB_WEBHOOK_SECRET, to a running worker."""
    from centralbot.entrypoints.settings import load_webhook_target

    target = load_webhook_target(begin())
    address = _address(url or target.url)
    body = file.read_bytes()
    headers = {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/centralbot-replay",
        "x-github-event": event,
        "x-github-delivery": delivery_id or str(uuid4()),
        "x-hub-signature-256": webhook_signature(target.secret, body),
    }
    status, answer = _post(address, headers, body)
    if as_json:
        emit_json({"status": status, "delivery_id": headers["x-github-delivery"], "answer": answer})
    else:
        print(f"{status} {printable(answer)}")
    if not 200 <= status < 300:
        raise typer.Exit(1)


def _address(url: str) -> str:
    """A worker's base URL, or the whole address of its webhook."""
    base = url.rstrip("/")
    return base if base.endswith("/webhooks/github") else f"{base}/webhooks/github"


def _post(address: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    import httpx

    try:
        response = httpx.post(address, headers=headers, content=body, timeout=TIMEOUT_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError) as exc:
        fail(f"{address} does not answer ({exc}): is 'centralbot serve-worker' running there? --url names another")
    return response.status_code, response.text[:SHOWN]
