"""Service keys: what a worker signs its requests with."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from centralbot.domain.signing import signing_key
from centralbot.entrypoints.cli.output import AsJson, as_dict, emit_fields, emit_json, emit_table, fail, note, rfc3339
from centralbot.entrypoints.cli.running import open_store, run

if TYPE_CHECKING:
    from centralbot.ports.driven.admin import StoredKey

app = typer.Typer(help="Service keys, with which workers sign.", no_args_is_help=True)

GOOD_SECRET_CHARS = 32


def _key_id(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[!-~]{1,128}", value):
        raise typer.BadParameter("expected 1 to 128 visible ASCII characters")
    return value


def _secret(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise typer.BadParameter("expected a secret; leave the option out to have one made")
    return value


@app.command("create")
def create(
    key_id: Annotated[str | None, typer.Option(callback=_key_id, help="Its id; made up where not given.")] = None,
    secret: Annotated[str | None, typer.Option(callback=_secret, help="Its secret; made where not given.")] = None,
    allow_unbound: Annotated[
        bool, typer.Option("--allow-unbound", help="Also take signatures without a nonce.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key. Its secret is shown this once and never again."""
    key_id = key_id or f"bot-{secrets.token_hex(4)}"
    secret = secret or secrets.token_urlsafe(32)

    async def work() -> None:
        async with open_store() as backend:
            await backend.store.keys.create(key_id, signing_key(secret), allow_unbound=allow_unbound)

    run(work())
    if as_json:
        emit_json({"key_id": key_id, "secret": secret, "allow_unbound": allow_unbound})
        return
    emit_fields({"CENTRALBOT_BOT_KEY_ID": key_id, "CENTRALBOT_BOT_SECRET": secret})
    if len(secret) < GOOD_SECRET_CHARS:
        note(f"This secret is short: prefer {GOOD_SECRET_CHARS} or more random characters.")
    note("Set both for the worker. The secret is not shown again.")


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """All keys, revoked ones included, without their secrets; readable: not of another CENTRALBOT_SECRET_KEY."""
    from centralbot.entrypoints.secret_key import check_secret_key

    async def work() -> None:
        async with open_store(any_secret_key=True) as backend:
            found = await backend.store.keys.list()
            _show(found, as_json)
            await check_secret_key(backend.store.keys)

    run(work())


def _show(keys: Sequence[StoredKey], as_json: bool) -> None:
    if as_json:
        emit_json([as_dict(key, "key_id", "allow_unbound", "created_at", "revoked_at", "readable") for key in keys])
        return
    rows = [
        (
            key.key_id,
            "any" if key.allow_unbound else "with nonce",
            rfc3339(key.created_at),
            rfc3339(key.revoked_at),
            "yes" if key.readable else "no",
        )
        for key in keys
    ]
    columns = ("key id", "signatures", "created", "revoked", "readable")
    emit_table(columns, rows, empty="no keys; make one: centralbot keys create")


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Revoke a key, at once and everywhere."""

    async def work() -> bool:
        async with open_store(any_secret_key=True) as backend:
            return await backend.store.keys.revoke(key_id)

    if not run(work()):
        fail(f"there is no active key {key_id!r}; 'centralbot keys list' shows all")
    if as_json:
        emit_json({"key_id": key_id, "revoked": True})
    else:
        print(f"revoked {key_id}")
