"""The worker's composition root: webhooks in, actions out, between the backend and GitHub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from centralbot import __version__
from centralbot.adapters.backend_http.client import BackendClient
from centralbot.adapters.github.app import GitHubApp, GitHubSettings, open_github
from centralbot.adapters.system import SystemClock, SystemIds
from centralbot.domain.errors import Forbidden
from centralbot.entrypoints.server import Server, make_server, started
from centralbot.entrypoints.settings import GitHubAppSettings, WorkerSettings, base_url
from centralbot.entrypoints.worker.app import build_app
from centralbot.entrypoints.worker.observability import Check, Observers, Readiness, WorkerMetrics
from centralbot.entrypoints.worker.webhook import Webhook
from centralbot.ports.use_cases.execute import Execute
from centralbot.ports.use_cases.executors import executors
from centralbot.ports.use_cases.forward import Forwarder, RepositorySync
from centralbot.ports.use_cases.work import Executor, WorkRules


@asynccontextmanager
async def open_app(settings: GitHubAppSettings) -> AsyncIterator[GitHubApp]:
    """The ports over GitHub; nothing is sent before the first call."""
    adapter = GitHubSettings(
        app_id=settings.app_id,
        private_key_pem=settings.private_key_pem,
        api_url=settings.api_url,
        user_agent=f"centralbot/{__version__}",
        write_interval_s=settings.write_interval_s,
    )
    async with open_github(adapter, clock=SystemClock(), jitter=SystemIds().jitter) as app:
        yield app


log = structlog.get_logger("centralbot")

BACKEND_CHECK_S = 2.0
GITHUB_CHECK_S = 60.0
LAST_LISTS_S = 0.5


@dataclass(frozen=True, slots=True)
class Worker:
    """Everything that one worker process runs."""

    server: Server
    executor: Executor
    sync: RepositorySync


@asynccontextmanager
async def open_worker(settings: WorkerSettings, github: GitHubAppSettings) -> AsyncIterator[Worker]:
    """The worker, wired and not started. Sends nothing yet. Raises ValidationError for a key that cannot be read."""
    clock, ids, metrics = SystemClock(), SystemIds(), WorkerMetrics()
    observers = Observers(metrics)
    app_settings = GitHubSettings(
        app_id=github.app_id,
        private_key_pem=github.private_key_pem,
        api_url=github.api_url,
        user_agent=f"centralbot/{__version__}",
        write_interval_s=github.write_interval_s,
    )
    client = BackendClient(
        url=settings.backend_url, key_id=settings.bot_key_id, secret=settings.bot_secret, clock=clock
    )
    hub = open_github(app_settings, clock=clock, jitter=ids.jitter, on_request=metrics.github_request)
    async with client as backend, hub as app:
        sync = RepositorySync(
            sink=backend,
            installations=app.installations,
            clock=clock,
            ids=ids,
            backend_now=backend.backend_now,
            observer=observers,
        )
        executor = Executor(
            source=backend,
            execute=Execute(executors(app.pull_requests, app.comments, app.collaborators, backend.backend_now)),
            worker_id=settings.worker_id,
            clock=clock,
            ids=ids,
            observer=observers,
            rules=WorkRules(claim_limit=settings.claim_limit, max_in_flight=settings.max_in_flight),
        )
        metrics.in_flight_is(lambda: executor.in_flight)
        webhook = Webhook(
            secrets=settings.webhook_secrets,
            forwarder=Forwarder(sink=backend, sync=sync, clock=clock, ids=ids),
            clock=clock,
            now=backend.backend_now,
            metrics=metrics,
        )
        readiness = Readiness(
            checks={
                "backend": (BACKEND_CHECK_S, _backend_check(backend, settings.backend_url, observers)),
                "github": (GITHUB_CHECK_S, _github_check(app)),
            },
            clock=clock,
            is_stopping=lambda: executor.is_stopping,
            clock_skew_s=lambda: app.clock_skew_s,
        )
        server = make_server(
            build_app(webhook, readiness, metrics),
            host=settings.host,
            port=settings.port,
            on_stop=executor.stop,
            chosen_by="CENTRALBOT_WORKER_HOST or CENTRALBOT_WORKER_PORT",
        )
        yield Worker(server, executor, sync)


async def serve_worker(
    settings: WorkerSettings, github: GitHubAppSettings, *, on_ready: Callable[[str], None] = lambda _: None
) -> None:
    """Serve until SIGTERM or SIGINT, then finish or give back what runs, within 10 s.

    ``on_ready`` gets the base URL once it listens. Raises OSError where it cannot listen.
    """
    async with open_worker(settings, github) as worker:
        serving = asyncio.create_task(worker.server.serve())
        await started(worker.server, serving)
        working = asyncio.create_task(worker.executor.run())
        url = base_url(settings.host, worker.server.port)
        log.info("worker.listening", url=url, worker_id=settings.worker_id, backend=settings.backend_url)
        on_ready(url)
        try:
            await asyncio.wait((serving, working), return_when=asyncio.FIRST_COMPLETED)
        finally:
            worker.server.stop()
            results = await asyncio.gather(serving, working, return_exceptions=True)
            await worker.sync.drain(LAST_LISTS_S)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        log.info("worker.stopped", worker_id=settings.worker_id)


def _backend_check(backend: BackendClient, url: str, observers: Observers) -> Check:
    async def check() -> str:
        await backend.check()
        if observers.refusal is not None:
            raise Forbidden(f"{url} refuses us: {observers.refusal}")
        return f"{url} is ready"

    return check


def _github_check(app: GitHubApp) -> Check:
    async def check() -> str:
        info = await app.installations.get_app()
        return f"signed in as the App {info.slug or info.id}"

    return check
