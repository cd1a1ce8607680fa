"""Locking reads that several decisions share: a challenge and what surrounds it, and what is queued."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Connection
from centralbot.adapters.postgres.queries import sql
from centralbot.adapters.postgres.writer import Write
from centralbot.domain.config import Mode
from centralbot.domain.effects import Effects
from centralbot.domain.errors import NotFound
from centralbot.domain.outbox import Envelope
from centralbot.domain.verdicts import ChallengeFacts, CloseState, facts_of
from centralbot.domain.withdrawals import withdrawn


async def locked_facts(connection: Connection, challenge_id: UUID) -> ChallengeFacts:
    """Lock a challenge and what its pull request has queued until the transaction ends, and read what deciding needs.

    So no claim takes its close while its end is decided. Raises NotFound.
    """
    key: dict[str, object] = {"challenge_id": challenge_id}
    place = await (await connection.execute(sql("lock_challenge"), key)).fetchone()
    if place is None:
        raise NotFound(f"there is no challenge {challenge_id}")
    places = codec.document([{"repo_id": place.repo_id, "pr_number": place.pr_number}])
    await connection.execute(sql("lock_outstanding"), {"places": places})
    return facts_in(await (await connection.execute(sql("challenge_facts"), key)).fetchall(), challenge_id)


def facts_in(rows: Sequence[Any], challenge_id: UUID) -> ChallengeFacts:
    row = next((row for row in rows if not row.other), None)
    if row is None:
        raise NotFound(f"there is no challenge {challenge_id}")
    close: Envelope | None = None
    if row.a_id is not None:
        close = Envelope(**(codec.envelope(row) if row.a_settled is None else codec.settled(row)))
    return facts_of(
        codec.challenge(row),
        now=row.now,
        of_pull_request=[codec.challenge(one) for one in rows],
        whitelisted=row.whitelisted,
        mode=None if row.repository_mode is None else Mode(row.repository_mode),
        close=close,
        kept=None if row.close_state is None else CloseState(row.close_state),
        installation_id=row.here,
        repo_full_name=row.full_name,
    )


async def withdraw(
    connection: Connection, write: Write, decided: Iterable[Effects], now: datetime, *, besides: Iterable[Any] = ()
) -> None:
    """Lock what the pull requests of these decisions have queued, and put what is withdrawn of it.

    ``besides``: actions that are being decided upon by themselves.
    """
    places: dict[tuple[int, int], list[Effects]] = {}
    for effects in decided:
        if effects.cancel_actions is not None:
            of = effects.cancel_actions
            places.setdefault((of.repo_id, of.pr_number), []).append(effects)
        for new in effects.actions[:1]:
            known = places.setdefault((new.repo_id, new.pr_number), [])
            if effects not in known:
                known.append(effects)
    asked = [{"repo_id": repo_id, "pr_number": number} for repo_id, number in sorted(places)]
    rows = await (
        await connection.execute(sql("lock_outstanding"), {"places": codec.document(asked)}, binary=True)
    ).fetchall()
    put = set(besides)
    outstanding: dict[tuple[int, int], list[Envelope]] = {}
    for row in rows:
        if row.q_action_id not in put:
            outstanding.setdefault((row.q_repo_id, row.q_pr_number), []).append(Envelope(**codec.envelope(row)))
    for place, queued in outstanding.items():
        for effects in places[place]:
            gone = withdrawn(queued, cancel=effects.cancel_actions, new=effects.actions, now=now)
            for action in gone:
                if action.id not in put:
                    put.add(action.id)
                    write.put(action)
