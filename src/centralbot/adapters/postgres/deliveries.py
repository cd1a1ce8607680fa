"""Ingest in PostgreSQL: waiting deliveries share a transaction of two round trips, with the pure decision between.

First the locks (on the delivery and on the pull request, in a fixed order), then everything that deciding needs, then
all writes. A signature, a delivery and a pull request appear once in a batch.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Connection, Database
from centralbot.adapters.postgres.grouper import Grouper
from centralbot.adapters.postgres.installations import take_installation
from centralbot.adapters.postgres.locking import withdraw
from centralbot.adapters.postgres.queries import sql
from centralbot.adapters.postgres.writer import Write
from centralbot.domain.challenge import counting
from centralbot.domain.dedup import SignatureUse, duplicate_pull_request
from centralbot.domain.effects import Effects
from centralbot.domain.events import InstallationEvent, InstallationOutcome, PullRequestActivity, PullRequestOutcome
from centralbot.domain.gating import Decision, DecisionContext, GateFacts
from centralbot.domain.installation import InstallationStatus
from centralbot.ports.deliveries import DecideInstallation, DecidePullRequest, SignatureReplayed


@dataclass(frozen=True, slots=True)
class _Item:
    event: PullRequestActivity
    decide: DecidePullRequest
    use: SignatureUse | None


def lock_key(*parts: object) -> int:
    """A 64-bit key for a transaction lock."""
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()
    return int(struct.unpack("<q", digest)[0])


class PostgresDeliveries:
    """Takes deliveries, each once (port ``Deliveries``)."""

    def __init__(self, database: Database, *, context: DecisionContext, notify: Callable[[], None]) -> None:
        self._database = database
        self._context = context
        self._notify = notify
        self._grouper: Grouper[_Item, PullRequestOutcome] = Grouper(self._flush, _keys)

    async def admit(self, use: SignatureUse) -> None:
        async def work(connection: Connection, attempt: int) -> bool:
            parameters = {"signed_at": use.signed_at, "digest": use.digest}
            cursor = await connection.execute(sql("use_signature"), parameters)
            return cursor.rowcount == 1 or attempt > 0  # a later try may meet its own first one, whose answer was lost

        if not await self._database.run(work, transaction=False):
            raise SignatureReplayed("the signature was used before")

    async def take_pull_request(
        self, event: PullRequestActivity, decide: DecidePullRequest, *, use: SignatureUse | None = None
    ) -> PullRequestOutcome:
        return await self._grouper.submit(_Item(event, decide, use))

    async def take_installation(
        self, event: InstallationEvent, decide: DecideInstallation, *, use: SignatureUse | None = None
    ) -> InstallationOutcome:
        async def work(connection: Connection, now: datetime, attempt: int) -> InstallationOutcome:
            return await take_installation(
                connection, event, decide, use, context=self._context, now=now, first_try=attempt == 0
            )

        locks = [lock_key("i", event.installation_id), lock_key("d", event.delivery_id)]
        outcome = await self._database.decide(work, lock=locks)
        self._notify()  # an unsuspended installation may have work waiting
        return outcome

    async def _flush(self, batch: Sequence[_Item]) -> list[PullRequestOutcome | Exception]:
        async def work(connection: Connection, now: datetime, attempt: int) -> list[PullRequestOutcome | Exception]:
            return await _take(connection, batch, now=now, first_try=attempt == 0)

        locks = []
        for item in batch:
            event = item.event
            locks.append(lock_key("d", event.delivery_id))
            locks.append(lock_key("p", event.repository.id, event.number))
        outcomes = await self._database.decide(work, lock=locks)
        if any(isinstance(outcome, PullRequestOutcome) and outcome.enqueued_actions for outcome in outcomes):
            self._notify()
        return outcomes


def _keys(item: _Item) -> tuple[Hashable, ...]:
    event = item.event
    return (event.delivery_id, (event.repository.id, event.number))


async def _take(
    connection: Connection, batch: Sequence[_Item], *, now: datetime, first_try: bool
) -> list[PullRequestOutcome | Exception]:
    questions: list[dict[str, object]] = []
    for i, item in enumerate(batch):
        event, use = item.event, item.use
        questions.append(
            {
                "i": i,
                "delivery_id": event.delivery_id,
                "event_name": event.event_name,
                "installation_id": event.installation_id,
                "repo_id": event.repository.id,
                "pr_number": event.number,
                "author_id": event.author.id,
                "signed_at": None if use is None else use.signed_at,
                "digest": None if use is None else use.digest.hex(),
            }
        )
    cursor = await connection.execute(sql("gate_facts"), {"events": codec.document(questions)}, binary=True)
    found: dict[int, list[Any]] = {}
    for row in await cursor.fetchall():
        found.setdefault(row.i, []).append(row)
    outcomes: list[PullRequestOutcome | Exception] = [SignatureReplayed("the signature was used before")] * len(batch)
    write = Write(now)
    touching: list[Effects] = []
    for i, rows in found.items():
        item, row = batch[i], rows[0]
        if row.replayed and first_try:  # later tries may meet their own first commit, whose answer was lost
            continue
        write.use(item.use)
        if row.taken:
            outcomes[i] = duplicate_pull_request(row.taken_challenge_id)
            continue
        decision = item.decide(_facts(rows, now))
        write.effects(decision.effects)
        write.take(_delivery(item.event, decision))
        if decision.effects.touches_queue:
            touching.append(decision.effects)
        outcomes[i] = PullRequestOutcome(
            status=decision.status,
            challenge_id=decision.challenge_id,
            enqueued_actions=len(decision.effects.actions),
            reason=decision.reason,
        )
    if touching:
        await withdraw(connection, write, touching, now)
    await write.run(connection)
    return outcomes


def _facts(rows: Sequence[Any], now: datetime) -> GateFacts:
    row = rows[0]
    return GateFacts(
        now=now,
        installation=None if row.installation_status is None else InstallationStatus(row.installation_status),
        repository_active=row.repository_active,
        whitelisted=row.whitelisted,
        last_closed_at=row.last_closed_at,
        config=None if row.config is None else codec.config(row.config),
        challenge=counting([codec.challenge(one) for one in rows]) if row.id is not None else None,
    )


def _delivery(event: PullRequestActivity, decision: Decision) -> dict[str, object]:
    return {
        "delivery_id": event.delivery_id,
        "event_name": event.event_name,
        "installation_id": event.installation_id,
        "repo_id": event.repository.id,
        "pr_number": event.number,
        "action": event.action,
        "event_at": event.at,
        "status": decision.status,
        "reason": decision.reason,
        "challenge_id": decision.challenge_id,
    }
