"""Installation events in PostgreSQL: one transaction under the installation's lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Connection
from centralbot.adapters.postgres.queries import sql
from centralbot.adapters.postgres.writer import Write
from centralbot.domain import outbox
from centralbot.domain.dedup import DUPLICATE_INSTALLATION, SignatureUse
from centralbot.domain.events import InstallationEvent, InstallationOutcome
from centralbot.domain.gating import DecisionContext
from centralbot.domain.installation import InstallationEffects, InstallationFacts
from centralbot.domain.outbox import Envelope
from centralbot.domain.verdicts import on_gone
from centralbot.ports.deliveries import DecideInstallation, SignatureReplayed


async def take_installation(
    connection: Connection,
    event: InstallationEvent,
    decide: DecideInstallation,
    use: SignatureUse | None,
    *,
    context: DecisionContext,
    now: datetime,
    first_try: bool,
) -> InstallationOutcome:
    """Take one installation delivery inside the caller's transaction, whose locks are held."""
    named = [repo.id for repo in (*event.repositories, *event.added, *event.removed)]
    key: dict[str, Any] = {
        "installation_id": event.installation_id,
        "delivery_id": event.delivery_id,
        "event_name": event.event_name,
        "signed_at": None if use is None else use.signed_at,
        "digest": None if use is None else use.digest,
    }
    rows = await (await connection.execute(sql("installation_facts"), {**key, "repo_ids": named})).fetchall()
    if rows[0].replayed and first_try:
        raise SignatureReplayed("the signature was used before")
    write = Write(now)
    write.use(use)
    if rows[0].taken:
        await write.run(connection)
        return DUPLICATE_INSTALLATION
    effects = decide(_facts(event, rows))
    await _apply(connection, effects, context, write, now)
    outcome = effects.outcome
    write.take(
        {
            "delivery_id": event.delivery_id,
            "event_name": event.event_name,
            "installation_id": event.installation_id,
            "action": event.action,
            "event_at": event.event_time,
            "status": outcome.status,
            "reason": outcome.reason,
        }
    )
    await write.run(connection)
    return outcome


def _facts(event: InstallationEvent, rows: Sequence[Any]) -> InstallationFacts:
    known = [codec.repository(row) for row in rows if row.repo_id is not None]
    return InstallationFacts(
        installation=None if rows[0].installation_id is None else codec.installation(rows[0]),
        repositories={row.repo_id: row for row in known if row.installation_id == event.installation_id},
        elsewhere={row.repo_id: row for row in known if row.installation_id != event.installation_id},
    )


async def _apply(
    connection: Connection, effects: InstallationEffects, context: DecisionContext, write: Write, now: datetime
) -> None:
    if effects.installation is None:
        return
    for installations, rows in (
        ([effects.installation], [row for row in effects.repositories if not row.active]),
        ([], [row for row in effects.repositories if row.active]),
    ):
        if installations or rows:
            parameters = {
                "installations": codec.document(installations),
                "repositories": codec.document(rows),
                "resumed": effects.resumed,
                "now": now,
            }
            await connection.execute(sql("apply_installation"), parameters)
    removed: list[dict[str, object]] = [
        {"installation_id": installation_id, "repo_id": repo_id} for installation_id, repo_id in effects.dropped
    ]
    if effects.uninstalled:
        removed = [{"installation_id": effects.installation.id, "repo_id": None}]
    if removed:
        await _cancel_removed(connection, effects, removed, context, write, now)


async def _cancel_removed(
    connection: Connection,
    effects: InstallationEffects,
    removed: list[dict[str, object]],
    context: DecisionContext,
    write: Write,
    now: datetime,
) -> None:
    """Cancel the pending challenges and withdraw the queued actions of what left."""
    why = effects.removal
    asked = {"removed": codec.document(removed)}
    for row in await (await connection.execute(sql("lock_removed_challenges"), asked, binary=True)).fetchall():
        write.effects(on_gone(context, codec.challenge(row), now=now, why=why))
    for row in await (await connection.execute(sql("lock_removed_actions"), asked, binary=True)).fetchall():
        action = Envelope(**codec.envelope(row))
        after = outbox.cancel_removed(action, reason=why, now=now)
        if after is not action:
            write.put(after)
