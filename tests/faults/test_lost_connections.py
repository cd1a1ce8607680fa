"""Faults 9, 11 and 22 together: what is tried again after a lost connection or a deadlock is still signed for once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from hashlib import sha256
from uuid import uuid4

import psycopg
import pytest

from centralbot.adapters.postgres.database import PATIENCE_S
from centralbot.adapters.postgres.store import PostgresStore
from centralbot.adapters.system import SystemIds
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.errors import Unavailable
from centralbot.domain.outbox import ActionStatus
from centralbot.ports.deliveries import SignatureReplayed
from tests.builders import a_context, a_pull_request_event, a_settlement
from tests.contracts.driver import COMMENT, UnderTest
from tests.faults.elsewhere import until_somebody_waits


async def kill_connections(dsn: str) -> None:
    """End every other session of this database, as a restart of the server does."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


def a_use() -> SignatureUse:
    return SignatureUse(signed_at=int(time.time()), digest=sha256(uuid4().bytes).digest())


async def test_a_claim_that_was_tried_again_is_signed_for_once(postgres: UnderTest, database: str) -> None:
    """The first try found its connection dead; the same request captured and sent again is a replay."""
    await postgres.connect()
    await postgres.challenged()
    use = a_use()
    await kill_connections(database)
    assert len(await postgres.claim(use=use)) == 1
    with pytest.raises(SignatureReplayed):
        await postgres.claim(use=use)


async def test_a_result_that_was_tried_again_is_signed_for_once(postgres: UnderTest, database: str) -> None:
    """Likewise."""
    await postgres.connect()
    await postgres.challenged()
    (action,) = await postgres.claim()
    use = a_use()
    await kill_connections(database)
    assert await postgres.store.outbox.settle(a_settlement(action), use=use) == ActionStatus.DONE
    with pytest.raises(SignatureReplayed):
        await postgres.store.outbox.settle(a_settlement(action), use=use)


async def test_a_delivery_that_was_tried_again_is_signed_for_once(postgres: UnderTest, database: str) -> None:
    """Likewise, and the delivery itself was taken."""
    await postgres.connect()
    event, use = a_pull_request_event(), a_use()
    await kill_connections(database)
    assert (await postgres.take(event, use=use)).enqueued_actions == 1
    with pytest.raises(SignatureReplayed):
        await postgres.take(event, use=use)


async def test_a_deadlock_is_tried_again_whole(postgres: UnderTest, database: str) -> None:
    """Fault 11: somebody else holds the action and wants the challenge that the close of a pull request has locked."""
    await postgres.connect()
    challenge = await postgres.challenged()
    (action,) = await postgres.claim()
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as watcher:
        async with await psycopg.AsyncConnection.connect(database) as other:
            await other.execute("set deadlock_timeout = '1min'")  # so that it is the delivery that gives way
            await other.execute("select from bot_action_queue where action_id = %s for update", (action.id,))
            closing = asyncio.create_task(postgres.take(a_pull_request_event("closed", seconds=60)))
            await until_somebody_waits(watcher)
            await other.execute("update pr_challenges set gate_comment_id = %s where id = %s", (COMMENT, challenge.id))
            await other.commit()
        assert (await closing).challenge_id == challenge.id
    after = await postgres.store.challenges.get(challenge.id)
    assert (after.status, after.gate_comment_id) == ("CANCELED", COMMENT)
    assert await postgres.settle(action) == ActionStatus.DONE


async def test_a_server_that_hangs_is_given_up_and_costs_only_the_one_who_waited(database: str) -> None:
    """No answer, no error, no end of the connection, as of a host that has gone: Unavailable, then a new connection."""
    store_of_ours = PostgresStore.open(
        database, secret_key="k" * 40, ids=SystemIds(), context=a_context(), answer_s=PATIENCE_S
    )
    async with store_of_ours as store, await psycopg.AsyncConnection.connect(database, autocommit=True) as other:
        found = await other.execute(
            "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )
        hung = [row[0] for row in await found.fetchall()]
        for pid in hung:
            os.kill(pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(60):
                with pytest.raises(Unavailable):
                    await store.health.backlog()
                assert (await store.health.backlog()).due_challenges == 0
        finally:
            for pid in hung:
                os.kill(pid, signal.SIGCONT)
