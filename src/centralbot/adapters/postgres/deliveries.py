"""Ingest in PostgreSQL: waiting deliveries share a transaction of two round trips, with the pure decision between.

First the locks (on the delivery and on the pull request, in a fixed order), then everything that deciding needs, then
all writes. A signature, a delivery and a pull request appear once in a batch.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Conflict, Connection, Database
from centralbot.adapters.postgres.grouper import Grouper
from centralbot.adapters.postgres.installations import take_installation
from centralbot.adapters.postgres.queries import sql
from centralbot.domain.dedup import InstallationOutcome, PullRequestOutcome, SignatureUse, duplicate_pull_request
from centralbot.domain.events import InstallationEvent, PullRequestEvent
from centralbot.domain.gating import Decision, GateFacts
from centralbot.domain.installation import InstallationStatus
from centralbot.ports.deliveries import DecideInstallation, DecidePullRequest, SignatureReplayed


@dataclass(frozen=True, slots=True)
class _Item:
    event: PullRequestEvent
    decide: DecidePullRequest
    use: SignatureUse | None


def lock_key(*parts: object) -> int:
    """A 64-bit key for a transaction lock."""
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()
    return int(struct.unpack("<q", digest)[0])


class PostgresDeliveries:
    """Takes deliveries, each once (port ``Deliveries``)."""

    def __init__(self, database: Database, *, notify: Callable[[], None]) -> None:
        self._database = database
        self._notify = notify
        self._grouper: Grouper[_Item, PullRequestOutcome] = Grouper(self._flush, _keys)

    async def take_pull_request(
        self, event: PullRequestEvent, decide: DecidePullRequest, *, use: SignatureUse | None = None
    ) -> PullRequestOutcome:
        return await self._grouper.submit(_Item(event, decide, use))

    async def take_installation(
        self, event: InstallationEvent, decide: DecideInstallation, *, use: SignatureUse | None = None
    ) -> InstallationOutcome:
        async def work(connection: Connection, attempt: int) -> InstallationOutcome:
            return await take_installation(connection, event, decide, use, first_try=attempt == 0)

        locks = [lock_key("i", event.installation_id), lock_key("d", event.delivery_id)]
        outcome = await self._database.run(work, lock=locks)
        self._notify()  # an unsuspended installation may have work waiting
        return outcome

    async def _flush(self, batch: Sequence[_Item]) -> list[PullRequestOutcome | Exception]:
        async def work(connection: Connection, attempt: int) -> list[PullRequestOutcome | Exception]:
            return await _take(connection, batch, first_try=attempt == 0)

        locks = []
        for item in batch:
            event = item.event
            locks.append(lock_key("d", event.delivery_id))
            locks.append(lock_key("p", event.repository.id, event.number))
        outcomes = await self._database.run(work, lock=locks)
        if any(isinstance(outcome, PullRequestOutcome) and outcome.enqueued_actions for outcome in outcomes):
            self._notify()
        return outcomes


def _keys(item: _Item) -> tuple[Hashable, ...]:
    event = item.event
    return (event.delivery_id, (event.repository.id, event.number))


async def _take(
    connection: Connection, batch: Sequence[_Item], *, first_try: bool
) -> list[PullRequestOutcome | Exception]:
    questions: list[dict[str, object]] = []
    for i, item in enumerate(batch):
        event, use = item.event, item.use
        questions.append(
            {
                "i": i,
                "delivery_id": event.delivery_id,
                "installation_id": event.installation_id,
                "repo_id": event.repository.id,
                "pr_number": event.number,
                "author_id": event.author.id,
                "signed_at": None if use is None else use.signed_at,
                "digest": None if use is None else use.digest.hex(),
            }
        )
    cursor = await connection.execute(sql("gate_facts"), {"events": codec.document(questions)}, binary=True)
    outcomes: list[PullRequestOutcome | Exception] = [SignatureReplayed("the signature was used before")] * len(batch)
    effects = []
    deliveries = []
    fresh = []
    for row in await cursor.fetchall():
        item = batch[row[0]]
        if row[6] and first_try:  # later tries may meet their own first commit, whose answer was lost
            continue
        fresh.append(item.use)
        if row[7]:
            outcomes[row[0]] = duplicate_pull_request(row[8])
            continue
        decision = item.decide(_facts(row))
        effects.append(decision.effects)
        deliveries.append(_delivery(item.event, decision))
        outcomes[row[0]] = PullRequestOutcome(
            status=decision.status,
            challenge_id=decision.challenge_id,
            enqueued_actions=len(decision.effects.actions),
            reason=decision.reason,
        )
    parameters, expected = codec.effects_parameters(effects, signatures=codec.uses(fresh), deliveries=deliveries)
    if any(one.cancel_actions is not None for one in effects):
        await connection.execute(sql("lock_queued"), parameters)
    done = await (await connection.execute(sql("apply_effects"), parameters)).fetchone()
    if done is None or done[0] != expected:
        raise Conflict("a challenge changed while its delivery was decided")
    return outcomes


def _facts(row: Sequence[Any]) -> GateFacts:
    return GateFacts(
        now=row[1],
        installation=None if row[2] is None else InstallationStatus(row[2]),
        repository_active=row[3],
        whitelisted=row[4],
        last_closed_at=row[5],
        config=None if row[9] is None else codec.config(row[9]),
        challenge=codec.challenge(row[10:]) if row[10] is not None else None,
    )


def _delivery(event: PullRequestEvent, decision: Decision) -> dict[str, object]:
    return {
        "delivery_id": event.delivery_id,
        "event_name": "pull_request",
        "installation_id": event.installation_id,
        "repo_id": event.repository.id,
        "pr_number": event.number,
        "action": event.action,
        "event_at": event.at,
        "status": decision.status,
        "reason": decision.reason,
        "challenge_id": decision.challenge_id,
    }
