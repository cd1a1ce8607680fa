"""The schema, service keys, the documentation's diagrams and the doctor."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from centralbot.domain.challenge import TRANSITIONS as CHALLENGE
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.installation import TRANSITIONS as INSTALLATION
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.machine import mermaid
from centralbot.domain.outbox import TRANSITIONS as ACTION
from centralbot.domain.outbox import ActionStatus
from centralbot.domain.signing import signing_key
from centralbot.entrypoints.cli.output import (
    AsJson,
    Progress,
    as_dict,
    emit_fields,
    emit_json,
    emit_table,
    fail,
    note,
    printable,
    rfc3339,
)
from centralbot.entrypoints.cli.running import begin, open_store, run

if TYPE_CHECKING:
    from centralbot.ports.admin import StoredKey


db_app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@db_app.command("migrate")
def migrate(as_json: AsJson = False) -> None:
    """Bring the schema to what this centralbot needs. Safe at any time, from several processes at once."""
    from centralbot.entrypoints.settings import load_database_settings

    settings = load_database_settings(begin())
    from centralbot.entrypoints.roots.backend import migrate_database

    progress = Progress()
    progress.step("migrating")
    report = migrate_database(settings)
    progress.done()
    if as_json:
        emit_json({"from": report.frm, "to": report.to, "applied": report.applied})
    elif report.applied:
        print(f"schema {report.to}: applied {', '.join(report.applied)}")
    else:
        print(f"schema {report.to}: nothing to do")


@db_app.command("status")
def status(as_json: AsJson = False) -> None:
    """Say what the schema is at; exit code 1 when migrations are pending."""
    from centralbot.entrypoints.settings import load_database_settings

    settings = load_database_settings(begin())
    from centralbot.entrypoints.roots.backend import schema_status

    found = schema_status(settings)
    if as_json:
        emit_json(asdict(found))
    else:
        emit_fields({"current": found.current, "needed": found.head, "pending": found.pending})
    if found.pending:
        note("migrations are pending: run 'centralbot db migrate'")
        raise typer.Exit(1)


keys_app = typer.Typer(help="The service keys that workers sign with.", no_args_is_help=True)

GOOD_SECRET_CHARS = 32


def _key_id(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[!-~]{1,128}", value):
        raise typer.BadParameter("expected 1 to 128 visible ASCII characters")
    return value


def _secret(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise typer.BadParameter("expected a secret; leave the option out to have one made")
    return value


@keys_app.command("create")
def create(
    key_id: Annotated[str | None, typer.Option(callback=_key_id, help="Its id; generated if left out.")] = None,
    secret: Annotated[str | None, typer.Option(callback=_secret, help="Its secret; generated if left out.")] = None,
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


@keys_app.command("list")
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


@keys_app.command("revoke")
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


docs_app = typer.Typer(help="Generate what the docs show.", no_args_is_help=True)


@docs_app.callback()
def _group() -> None:
    """Keeps ``diagrams`` a command of its own."""


@docs_app.command("diagrams")
def diagrams(
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 when the file is out of date.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the file.")] = False,
    path: Annotated[Path, typer.Option(help="The file.")] = Path("docs/states.md"),
) -> None:
    """Draw the state machines from their transition tables; prints them unless --check or --write is given."""
    if check and write:
        raise typer.BadParameter("give --check or --write, not both")
    text = page()
    if check:
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            fail(f"{path} is not what the transition tables say: run 'centralbot docs diagrams --write'")
    elif write:
        path.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


def page() -> str:
    """The whole file."""
    machines = (
        ("Challenge", "challenge", mermaid(CHALLENGE, start=ChallengeStatus.PENDING)),
        ("Action", "outbox", mermaid(ACTION, start=ActionStatus.PENDING)),
        ("Installation", "installation", mermaid(INSTALLATION, start=InstallationStatus.ACTIVE)),
    )
    head = (
        "# State machines\n\n"
        "Drawn from the transition tables by `centralbot docs diagrams --write`; change the tables, not this file.\n"
    )
    return head + "".join(
        f"\n## {title}\n\n`centralbot.domain.{module}.TRANSITIONS`\n\n```mermaid\n{diagram}```\n"
        for title, module, diagram in machines
    )


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
