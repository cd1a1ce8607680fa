"""What a start depends on, checked part by part: settings, store, schema, clocks, GitHub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from centralbot.adapters.postgres.migrate import status as schema_status
from centralbot.adapters.postgres.store import PostgresStore
from centralbot.adapters.system import SystemClock, SystemIds
from centralbot.domain.errors import CentralbotError
from centralbot.entrypoints import settings
from centralbot.entrypoints.roots.backend import database
from centralbot.entrypoints.roots.github import open_app
from centralbot.entrypoints.settings import SettingsError
from centralbot.ports.driven.github import AppInfo

MAX_SKEW_S = 30.0
"""Signed requests are refused at 300 s, GitHub's App tokens at 60 s."""

PERMISSIONS = {"pull_requests": "write", "metadata": "read"}
EVENTS = ("pull_request", "repository")
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
            async with PostgresStore.open(
                dsn, secret_key=store.secret_key, ids=SystemIds(), max_connections=2
            ) as opened:
                skew_s = (SystemClock().now() - await opened.health.now()).total_seconds()
                yield _skew("clock", skew_s, "the store's")
                keys = [key for key in await opened.keys.list() if key.revoked_at is None]
                hint = f"{len(keys)} active" if keys else "none yet: run 'centralbot keys create'"
                yield Check("service keys", "ok" if keys else "skipped", hint)
    except CentralbotError as exc:
        yield Check("store", "failed", exc.message)


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


def _skew(name: str, skew_s: float, whose: str) -> Check:
    if abs(skew_s) <= MAX_SKEW_S:
        return Check(name, "ok", f"within {abs(skew_s):.1f} s of {whose}")
    ahead = "ahead of" if skew_s > 0 else "behind"
    return Check(name, "failed", f"ours is {abs(skew_s):.0f} s {ahead} {whose}: set this machine's clock (NTP)")
