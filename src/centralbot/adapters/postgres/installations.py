"""Installation events in PostgreSQL: one transaction under the installation's lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Connection
from centralbot.adapters.postgres.queries import sql
from centralbot.domain.challenge import CancelReason
from centralbot.domain.dedup import DUPLICATE_INSTALLATION, InstallationOutcome, SignatureUse
from centralbot.domain.events import InstallationEvent
from centralbot.domain.installation import InstallationEffects, InstallationFacts, InstallationRepository
from centralbot.ports.deliveries import DecideInstallation, SignatureReplayed


async def take_installation(
    connection: Connection,
    event: InstallationEvent,
    decide: DecideInstallation,
    use: SignatureUse | None,
    *,
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
    taken, replayed = rows[0][7], rows[0][8]
    if replayed and first_try:
        raise SignatureReplayed("the signature was used before")
    record = {**key, "action": event.action, "event_at": event.event_time, "status": None, "reason": None}
    if taken:
        await connection.execute(sql("take_delivery"), record)
        return DUPLICATE_INSTALLATION
    effects = decide(_facts(event, rows))
    await _apply(connection, event, effects)
    outcome = effects.outcome
    await connection.execute(sql("take_delivery"), {**record, "status": outcome.status.value, "reason": outcome.reason})
    return outcome


def _facts(event: InstallationEvent, rows: Sequence[Sequence[Any]]) -> InstallationFacts:
    known = [
        InstallationRepository(
            installation_id=r[9],
            repo_id=r[10],
            full_name=r[11],
            active=r[12],
            changed_at=r[13],
            active_since=r[14],
        )
        for r in rows
        if r[9] is not None
    ]
    return InstallationFacts(
        installation=None if rows[0][0] is None else codec.installation(rows[0]),
        repositories={row.repo_id: row for row in known if row.installation_id == event.installation_id},
        elsewhere={row.repo_id: row for row in known if row.installation_id != event.installation_id},
    )


async def _apply(connection: Connection, event: InstallationEvent, effects: InstallationEffects) -> None:
    if effects.installation is None:
        return
    for installations, rows in (
        ([effects.installation], [row for row in effects.repositories if not row.active]),
        ([], [row for row in effects.repositories if row.active]),
    ):
        if installations or rows:
            parameters = {"installations": codec.document(installations), "repositories": codec.document(rows)}
            await connection.execute(sql("apply_installation"), parameters)
    dropped: list[dict[str, object]] = [
        {"installation_id": installation_id, "repo_id": repo_id, "reason": CancelReason.REPOSITORY_REMOVED}
        for installation_id, repo_id in effects.dropped
    ]
    if effects.uninstalled:
        dropped = [{"installation_id": event.installation_id, "repo_id": None, "reason": CancelReason.UNINSTALLED}]
    if dropped:
        await connection.execute(sql("cancel_for_removed_repositories"), {"dropped": codec.document(dropped)})
