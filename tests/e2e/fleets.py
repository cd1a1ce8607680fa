"""Fleets of real processes for tests: how quick they are, and the store that they share, as an operator sees it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from centralbot.domain.signing import signing_key
from centralbot.entrypoints.demo.fleet import Fleet
from centralbot.entrypoints.roots.backend import Backend, open_backend
from centralbot.entrypoints.settings import load_gate_settings, load_outbox_settings, load_store_settings

LEASE_S = 4
SETTINGS = {
    "CENTRALBOT_WRITE_INTERVAL_S": "0",
    "CENTRALBOT_LEASE_S": str(LEASE_S),
    "CENTRALBOT_DEFAULT_MODE": "enforce",
    "CENTRALBOT_WINDOW_S": "600",
}


def a_secret() -> str:
    return secrets.token_urlsafe(32)


@asynccontextmanager
async def backend_of(fleet: Fleet, *, database_url: str | None = None) -> AsyncIterator[Backend]:
    """What the fleet's processes share, by the same settings, with the service key of its workers in it.

    ``database_url`` is the way to the store where it is not theirs.
    """
    environ = {**fleet.settings, **fleet.store, "CENTRALBOT_PUBLIC_URL": fleet.api_url}
    store = load_store_settings(environ)
    store = replace(store, database_url=database_url or store.database_url)
    gate, outbox = load_gate_settings(environ), load_outbox_settings(environ)
    async with open_backend(store, gate, outbox, max_connections=4) as backend:
        key_id, secret = fleet.key
        await backend.store.keys.create(key_id, signing_key(secret), allow_unbound=False)
        yield backend
