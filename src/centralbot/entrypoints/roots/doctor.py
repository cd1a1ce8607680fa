"""What a start depends on, checked part by part: settings, store, schema, clocks, GitHub."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from centralbot.adapters import embedded_postgres
from centralbot.adapters.github.app import GitHubApp
from centralbot.adapters.github.sign_in import PeopleSettings, open_people
from centralbot.adapters.postgres.migrate import status as schema_status
from centralbot.adapters.postgres.store import PostgresStore
from centralbot.adapters.system import SystemClock, SystemIds
from centralbot.domain.config import RepoConfig
from centralbot.domain.errors import CentralbotError, Unavailable
from centralbot.domain.gating import DecisionContext
from centralbot.domain.signing import signing_key
from centralbot.entrypoints import settings
from centralbot.entrypoints.roots.backend import database
from centralbot.entrypoints.roots.worker import open_app
from centralbot.entrypoints.secret_key import check_secret_key
from centralbot.entrypoints.settings import SettingsError, app_file
from centralbot.entrypoints.settings.backend import CALLBACK_PATH
from centralbot.entrypoints.setup import EVENTS, PERMISSIONS, WEBHOOK_PATH, is_loopback
from centralbot.ports.admin import ServiceKeys
from centralbot.ports.github import AppInfo

MAX_SKEW_S = 30.0
"""Signed requests are refused at 300 s, GitHub's App tokens at 60 s."""

LEVELS = ("none", "read", "write", "admin")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. A skipped check says what to set."""

    name: str
    status: Literal["ok", "failed", "skipped"]
    message: str


async def examine(environ: Mapping[str, str]) -> AsyncIterator[Check]:
    """Every check, in an order in which the first that failed explains the later ones. Changes no data."""
    for check in _settings(environ):
        yield check
    async for check in _store(environ):
        yield check
    async for check in _github(environ):
        yield check


def _settings(environ: Mapping[str, str]) -> list[Check]:
    groups: tuple[tuple[str, tuple[Callable[[Mapping[str, str]], object], ...]], ...] = (
        (
            "backend",
            (settings.load_database_settings, settings.load_gate_settings, settings.load_outbox_settings,
             settings.load_api_settings, settings.load_oauth_settings),
        ),
        ("worker", (settings.load_worker_settings,)),
    )  # fmt: skip
    return [_readable(f"{name} settings", environ, loaders) for name, loaders in groups]


def _readable(
    name: str, environ: Mapping[str, str], loaders: tuple[Callable[[Mapping[str, str]], object], ...]
) -> Check:
    for load in loaders:
        try:
            load(environ)
        except SettingsError as exc:
            return _setting(name, exc)
    return Check(name, "ok", "all readable")


def _setting(name: str, exc: SettingsError) -> Check:
    """What is not set was not asked for; what is set wrong is wrong."""
    unset = ": is not set; "
    if unset in exc.message:
        return Check(name, "skipped", f"set {exc.message.replace(unset, ' to check this: ', 1)}")
    return Check(name, "failed", exc.message)


async def _store(environ: Mapping[str, str]) -> AsyncIterator[Check]:
    try:
        place = settings.load_database_settings(environ)
        if place.database_url is None and not embedded_postgres.was_started(place.data_dir):
            made = f"none yet: serve-api makes one under {place.data_dir}, or uses CENTRALBOT_DATABASE_URL"
            yield Check("store", "skipped", made)
            return
        store = settings.load_store_settings(environ)
    except SettingsError as exc:
        yield Check("store", "failed", exc.message)
        return
    try:
        with database(store) as dsn:
            schema = await asyncio.to_thread(schema_status, dsn)
            where = (
                "embedded, under " + str(store.data_dir) if store.database_url is None else "CENTRALBOT_DATABASE_URL"
            )
            yield Check("store", "ok", f"PostgreSQL answers ({where})")
            if schema.pending:
                at = schema.current or "nothing"
                yield Check("schema", "failed", f"at {at}, {schema.head} is needed: run 'centralbot db migrate'")
                return
            yield Check("schema", "ok", f"at {schema.head}, nothing pending")
            ids = SystemIds()
            context = DecisionContext(defaults=RepoConfig(), new_id=ids.new_id, gate_url=str)  # it decides nothing
            async with PostgresStore.open(
                dsn, secret_key=store.secret_key, ids=ids, context=context, max_connections=2
            ) as opened:
                skew_s = (SystemClock().now() - await opened.health.now()).total_seconds()
                yield _skew("clock", skew_s, "the store's")
                yield await _service_keys(opened.keys, environ)
    except CentralbotError as exc:
        yield Check("store", "failed", exc.message)


async def _service_keys(keys: ServiceKeys, environ: Mapping[str, str]) -> Check:
    """Whether they can be read, and whether the worker's settings, where they stand here too, are one of them."""
    name = "service keys"
    try:
        await check_secret_key(keys)
        return await _workers_key(name, keys, environ)
    except Unavailable as exc:
        return Check(name, "failed", exc.message)


async def _workers_key(name: str, keys: ServiceKeys, environ: Mapping[str, str]) -> Check:
    active = [key for key in await keys.list() if key.revoked_at is None]
    key_id, secret = (environ.get(f"CENTRALBOT_BOT_{name}", "").strip() for name in ("KEY_ID", "SECRET"))
    if not (key_id and secret):
        hint = f"{len(active)} active" if active else "none yet: run 'centralbot keys create'"
        return Check(name, "ok" if active else "skipped", hint)
    found = await keys.find_active(key_id)
    if found is None:
        hint = "names no active key of this store: see 'centralbot keys list'"
        return Check(name, "failed", f"CENTRALBOT_BOT_KEY_ID {hint}")
    if not hmac.compare_digest(found.signing_key, signing_key(secret)):
        hint = f"is not the secret of key {key_id!r}: set the one shown when it was made, or make a new key"
        return Check(name, "failed", f"CENTRALBOT_BOT_SECRET {hint}")
    return Check(name, "ok", f"{len(active)} active, the worker's among them")


async def _github(environ: Mapping[str, str]) -> AsyncIterator[Check]:
    try:
        loaded = settings.load_github_app_settings(environ)
    except SettingsError as exc:
        yield _setting("GitHub", exc)
        return
    async with open_app(loaded) as github:
        try:
            app = await github.installations.get_app()
        except CentralbotError as exc:
            hint = "check CENTRALBOT_GITHUB_APP_ID, CENTRALBOT_GITHUB_APP_PRIVATE_KEY and CENTRALBOT_GITHUB_API_URL"
            yield Check("GitHub", "failed", f"{exc.message}; {hint}")
            return
        yield Check("GitHub", "ok", f"{loaded.api_url} knows us as the App {app.name or app.slug!r} (id {app.id})")
        yield _permissions(app)
        yield _events(app)
        yield await _webhook(github, environ, api_url=loaded.api_url)
        yield await _sign_in(app, environ)
        if github.clock_skew_s is not None:
            yield _skew("GitHub clock", github.clock_skew_s, "GitHub's")


def _permissions(app: AppInfo) -> Check:
    missing = [
        f"{name}: {needed}"
        for name, needed in PERMISSIONS.items()
        if _level(app.permissions.get(name)) < _level(needed)
    ]
    if missing:
        where = "give them on the App's settings page on GitHub"
        return Check("permissions", "failed", f"the App lacks {', '.join(missing)}; {where}")
    return Check("permissions", "ok", ", ".join(f"{name}: {needed}" for name, needed in PERMISSIONS.items()))


def _level(name: str | None) -> int:
    return LEVELS.index(name) if name in LEVELS else 0


def _events(app: AppInfo) -> Check:
    missing = [name for name in EVENTS if name not in app.events]
    if missing:
        where = "subscribe on the App's settings page on GitHub"
        return Check("events", "failed", f"the App does not get {', '.join(missing)}; {where}")
    return Check("events", "ok", ", ".join(EVENTS))


async def _webhook(github: GitHubApp, environ: Mapping[str, str], *, api_url: str) -> Check:
    """GitHub's address for the worker against the one that setup asked for, and against what GitHub can reach."""
    name, where = "webhook URL", "set it on the App's settings page on GitHub"
    try:
        url = await github.installations.webhook_url()
    except CentralbotError as exc:
        return Check(name, "failed", f"GitHub does not tell it: {exc.message}")
    expected = environ.get(app_file.WEBHOOK_URL, "").strip()
    if not url:
        return Check(name, "failed", f"the App has no webhook; {where}, to the worker's public address {WEBHOOK_PATH}")
    if expected and url != expected:
        return Check(name, "failed", f"GitHub sends to {url}, setup asked for {expected}; {where}")
    if is_loopback(url) and not is_loopback(api_url):
        return Check(name, "failed", f"GitHub cannot reach {url}; {where}, to an address on the internet")
    if not urlsplit(url).path.endswith(WEBHOOK_PATH):
        return Check(name, "failed", f"GitHub sends to {url}, the worker listens at {WEBHOOK_PATH}; {where}")
    return Check(name, "ok", f"GitHub sends to {url}")


async def _sign_in(app: AppInfo, environ: Mapping[str, str]) -> Check:
    name, both = "sign-in", f"{app_file.CLIENT_ID} and {app_file.CLIENT_SECRET}"
    try:
        oauth = settings.load_oauth_settings(environ)
    except SettingsError as exc:
        return _setting(name, exc)
    if oauth is None:
        return Check(name, "skipped", f"set {both} to let people sign in; both are on the App's settings page")
    if app.client_id is not None and app.client_id != oauth.client_id:
        return Check(name, "failed", f"{app_file.CLIENT_ID} is another App's: ours has {app.client_id}")
    client = PeopleSettings(
        client_id=oauth.client_id, client_secret=oauth.client_secret, api_url=oauth.api_url, web_url=oauth.web_url
    )
    try:
        async with open_people(client, clock=SystemClock()) as people:
            problem = await people.sign_in.client_problem()
    except CentralbotError as exc:
        return Check(name, "failed", f"{exc.message}; check {both} and {app_file.WEB_URL}")
    if problem is not None:
        return Check(name, "failed", f"GitHub says {problem}; check {both}")
    callback = oauth.public_url + CALLBACK_PATH
    return Check(name, "ok", f"GitHub takes the client secret; the App's callback URL has to be {callback}")


def _skew(name: str, skew_s: float, whose: str) -> Check:
    if abs(skew_s) <= MAX_SKEW_S:
        return Check(name, "ok", f"within {abs(skew_s):.1f} s of {whose}")
    ahead = "ahead of" if skew_s > 0 else "behind"
    return Check(name, "failed", f"ours is {abs(skew_s):.0f} s {ahead} {whose}: set this machine's clock (NTP)")
