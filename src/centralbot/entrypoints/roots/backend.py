"""The backend's composition root: the store in PostgreSQL, the rules, the API and the pages over both."""

from __future__ import annotations

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import structlog

from centralbot import __version__
from centralbot.adapters import embedded_postgres
from centralbot.adapters.github.sign_in import PeopleSettings, open_people
from centralbot.adapters.postgres.database import ANSWER_S
from centralbot.adapters.postgres.keys import Cipher, derive
from centralbot.adapters.postgres.migrate import MigrationReport, SchemaStatus, migrate, status
from centralbot.adapters.postgres.store import PostgresStore
from centralbot.adapters.system import SystemClock, SystemIds
from centralbot.domain.config import Mode, RepoConfig
from centralbot.domain.errors import Unavailable
from centralbot.domain.gating import DecisionContext
from centralbot.domain.outbox import OutboxRules
from centralbot.domain.signing import gate_token
from centralbot.entrypoints.api.app import PeopleSide, build_app
from centralbot.entrypoints.api.gate import gate_api
from centralbot.entrypoints.api.internal import Internal
from centralbot.entrypoints.api.metrics import ApiMetrics
from centralbot.entrypoints.api.owner import owner_api
from centralbot.entrypoints.guard import Guard, RateLimiter
from centralbot.entrypoints.roots.verifiers import verifiers
from centralbot.entrypoints.secret_key import check_secret_key
from centralbot.entrypoints.server import Server, make_server, started
from centralbot.entrypoints.settings import (
    ApiSettings,
    DatabaseSettings,
    GateSettings,
    OutboxSettings,
    StoreSettings,
    WebSettings,
    base_url,
)
from centralbot.entrypoints.settings.backend import CALLBACK_PATH
from centralbot.entrypoints.web.gate import gate_pages
from centralbot.entrypoints.web.owner import owner_pages
from centralbot.entrypoints.web.pages import Pages, errors_without_route
from centralbot.entrypoints.web.sign_in import sign_in_routes
from centralbot.ports.people import PeopleOnGitHub, SignIn
from centralbot.ports.store import Store
from centralbot.ports.use_cases.accounts import Accounts, Rights
from centralbot.ports.use_cases.challenges import ChallengeService
from centralbot.ports.use_cases.ingest import Ingest
from centralbot.ports.use_cases.owner_challenges import open_owner_services
from centralbot.ports.use_cases.sweep import Sweep
from centralbot.ports.use_cases.verification import VerificationService
from centralbot.ports.verifier import Verifier


@asynccontextmanager
async def people_side(backend: Backend, web: WebSettings) -> AsyncIterator[PeopleSide]:
    """What people are served; its connections to GitHub end with the block.

    Nothing is asked of GitHub before somebody comes.
    """
    settings = PeopleSettings(
        client_id=web.oauth.client_id if web.oauth else "",
        client_secret=web.oauth.client_secret if web.oauth else "",
        api_url=web.api_url,
        web_url=web.web_url,
        user_agent=f"centralbot/{__version__}",
    )
    async with open_people(settings, clock=backend.clock) as side:
        sign_in = side.sign_in if web.oauth else None
        yield assemble(backend, sign_in, side.github, public_url=web.public_url, web_url=web.web_url)


def assemble(
    backend: Backend,
    sign_in: SignIn | None,
    people: PeopleOnGitHub,
    *,
    public_url: str,
    web_url: str,
    kinds: Sequence[Verifier] | None = None,
) -> PeopleSide:
    """The people's side over whatever stands for GitHub; ``kinds`` None are the proofs of :mod:`.verifiers`."""
    store, ids = backend.store, SystemIds()
    if kinds is None:
        kinds = verifiers(derive(backend.secret_key, "proof-of-work"), store.nonces)
    accounts = Accounts(
        sign_in=sign_in,
        people=people,
        sessions=store.sessions,
        nonces=store.nonces,
        seal=Cipher(backend.secret_key, "sign-in"),
        redirect_uri=public_url + CALLBACK_PATH,
        clock=backend.clock,
        ids=ids,
        random_token=lambda: secrets.token_urlsafe(32),
    )
    guard = Guard(accounts, backend.clock, public_url=public_url)
    pages = Pages(public_url=public_url, can_sign_in=accounts.can_sign_in)
    services = open_owner_services(
        repositories=store.repositories,
        whitelist=store.whitelist,
        challenges=store.challenges,
        reports=store.reports,
        verdicts=backend.verdicts,
        context=backend.context,
        accounts=accounts,
        rights=Rights(accounts, people, backend.clock),
        people=people,
        kinds={kind.kind: kind.summary for kind in kinds},
    )
    verification = VerificationService(
        token_key=backend.gate_key,
        challenges=store.challenges,
        repositories=store.repositories,
        verdicts=backend.verdicts,
        verifiers=kinds,
        defaults=backend.context.defaults,
        clock=backend.clock,
        ids=ids,
    )
    limiter = RateLimiter(backend.clock.monotonic_s)  # one for the page and its JSON
    routes = [
        pages.static.route(),
        sign_in_routes(guard, pages),
        owner_api(guard, services),
        owner_pages(guard, pages, services, web_url=web_url),
        gate_api(guard, verification, limiter),
        gate_pages(guard, pages, verification, limiter),
    ]
    return PeopleSide(routes, errors_without_route(pages))


log = structlog.get_logger("centralbot")

API_ANSWER_S = 5.0
"""What takes the store longer is of no use: whoever asked has gone (the bot after 7 s, GitHub after 10)."""


@dataclass(frozen=True, slots=True)
class Backend:
    """An open store and the use cases over it. ``gate_key`` makes and checks the tokens of gate links."""

    store: Store
    secret_key: str = field(repr=False)
    gate_key: bytes = field(repr=False)
    context: DecisionContext
    rules: OutboxRules
    clock: SystemClock
    ingest: Ingest
    verdicts: ChallengeService
    sweep: Sweep


@contextmanager
def database(settings: DatabaseSettings) -> Iterator[str]:
    """The store's DSN; without CENTRALBOT_DATABASE_URL that of the embedded server, kept up for the block."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with embedded_postgres.start(settings.data_dir) as server:
        log.info("store.embedded", data=str(server.files), hint="set CENTRALBOT_DATABASE_URL to use another PostgreSQL")
        yield server.dsn


def migrate_database(settings: DatabaseSettings) -> MigrationReport:
    """Bring the schema to what this centralbot needs."""
    with database(settings) as dsn:
        return migrate(dsn)


def schema_status(settings: DatabaseSettings) -> SchemaStatus:
    """What the schema is at."""
    with database(settings) as dsn:
        return status(dsn)


@asynccontextmanager
async def open_backend(
    store: StoreSettings,
    gate: GateSettings,
    outbox: OutboxSettings,
    *,
    max_connections: int = 8,
    answer_s: float = ANSWER_S,
) -> AsyncIterator[Backend]:
    """The store, migrated and open, with the use cases. Raises Unavailable, SchemaError, SettingsError."""
    with database(store) as dsn:
        report = await asyncio.to_thread(migrate, dsn)
        if report.applied:
            log.info("schema.migrated", applied=report.applied)
        ids, clock = SystemIds(), SystemClock()
        rules = OutboxRules(lease_s=outbox.lease_s, max_attempts=outbox.max_attempts)
        token_key = derive(store.secret_key, "gate-token")
        context = DecisionContext(
            defaults=RepoConfig(mode=Mode(gate.default_mode), window_s=gate.window_s),
            new_id=ids.new_id,
            gate_url=lambda challenge_id: f"{gate.public_url}/g/{gate_token(token_key, challenge_id)}",
        )
        async with PostgresStore.open(
            dsn,
            secret_key=store.secret_key,
            ids=ids,
            context=context,
            rules=rules,
            max_connections=max_connections,
            answer_s=answer_s,
        ) as opened:
            gc.collect()
            gc.freeze()  # modules and the store live to the end; a sweep of thousands should not look at them again
            yield Backend(
                store=opened,
                secret_key=store.secret_key,
                gate_key=token_key,
                context=context,
                rules=rules,
                clock=clock,
                ingest=Ingest(opened.deliveries, context),
                verdicts=ChallengeService(opened.challenges, context),
                sweep=Sweep(opened.upkeep, opened.health, context, rules),
            )


def api_server(
    backend: Backend, *, host: str, port: int, people: PeopleSide | None = None, trusted_proxies: str = "127.0.0.1"
) -> Server:
    """The API over an open backend, ready to serve; ``people`` is what :mod:`.people` makes."""
    store = backend.store
    internal = Internal(backend.ingest, store.outbox, store.keys, backend.clock, ApiMetrics())
    app = build_app(internal, store.health, people=people, trusted_proxies=trusted_proxies)
    chosen_by = "CENTRALBOT_API_HOST or CENTRALBOT_API_PORT"
    return make_server(app, host=host, port=port, on_stop=internal.stopping.set, chosen_by=chosen_by)


async def serve_api(
    store: StoreSettings,
    gate: GateSettings,
    outbox: OutboxSettings,
    api: ApiSettings,
    web: WebSettings,
    *,
    on_ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT. ``on_ready`` gets the base URL once it listens."""
    opened = open_backend(store, gate, outbox, answer_s=API_ANSWER_S)
    async with opened as backend, people_side(backend, web) as people:
        try:
            await check_secret_key(backend.store.keys)
        except Unavailable as exc:
            log.error("api.wrong_secret_key", error=exc.message, hint="/readyz is 503 until then")
        server = api_server(backend, host=api.host, port=api.port, people=people, trusted_proxies=web.trusted_proxies)
        task = asyncio.create_task(server.serve())
        await started(server, task)
        url = base_url(api.host, server.port)
        log.info("api.listening", url=url)
        on_ready(url)
        await task
        log.info("api.stopped")
