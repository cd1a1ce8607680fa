"""Faults 34 to 40 and 44 at the deadline: who is closed, who is not, and whoever else comes in the same moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import psycopg
import pytest

from centralbot.domain.actions import ActionType
from centralbot.domain.challenge import CancelReason, Challenge, ChallengeStatus
from centralbot.domain.outbox import Action, ActionStatus, Outcome
from tests.builders import MAINTAINER, WINDOW_S, a_pull_request_event, comment_of
from tests.contracts.adapters import open_postgres
from tests.contracts.driver import COMMENT, RULES, UnderTest

UPSERT, CLOSE, REOPEN = ActionType
HOUR_S = 3600.0


@dataclass
class GitHub:
    """Which pull requests are closed."""

    closed: set[int] = field(default_factory=set)

    async def work(self, store: UnderTest, worker_id: str, *, rounds: int) -> None:
        """A worker that does what it is handed."""
        for _ in range(rounds):
            for action in await store.claim(worker_id, limit=3):
                await asyncio.sleep(0)
                self.do(action)
                await store.settle(action, comment_id=COMMENT)

    def do(self, action: Action) -> None:
        if action.action_type is CLOSE:
            self.closed.add(action.pr_number)
        elif action.action_type is REOPEN:
            self.closed.discard(action.pr_number)


async def all_noticed(store: UnderTest, count: int, *, due: bool = True) -> list[Challenge]:
    """Pull requests 1 to ``count``, each author asked; their time is over, unless told otherwise."""
    await store.connect()
    challenges = [await store.challenged(number) for number in range(1, count + 1)]
    await store.run_all()
    if due:
        await store.advance(WINDOW_S + 1)
    return challenges


async def closes_of(store: UnderTest) -> dict[int, list[ActionStatus]]:
    """The statuses of the closes of each pull request."""
    found: dict[int, list[ActionStatus]] = {}
    for action in await store.store.actions.search(limit=1000):
        if action.action_type is CLOSE:
            found.setdefault(action.pr_number, []).append(action.status)
    return found


async def make_due(dsn: str, challenge: Challenge) -> None:
    """Let this one challenge's time be over, and no other's."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("update pr_challenges set deadline_at = now() where id = %s", (challenge.id,))


async def test_a_pass_and_a_sweep_in_the_same_moment_have_one_winner(postgres: UnderTest, database: str) -> None:
    """Fault 36, sixty times over two connections: in time without any close, or late with its close canceled."""
    challenges = await all_noticed(postgres, 60, due=False)
    async with open_postgres(database) as sweeper:
        for challenge in challenges:
            await make_due(database, challenge)
            both = [sweeper.sweep(limit=1), postgres.verify(challenge)]
            await asyncio.gather(*(both if challenge.pr_number % 2 else reversed(both)))
    closes = await closes_of(postgres)
    for challenge in challenges:
        after = await postgres.store.challenges.get(challenge.id)
        expected = [] if after.reason == "IN_TIME" else [ActionStatus.CANCELED]
        assert (after.status, closes.get(challenge.pr_number, [])) == (ChallengeStatus.VERIFIED, expected)
    assert {action.action_type for action in await postgres.run_all()} == {UPSERT}


async def test_whoever_passes_is_open_in_the_end(postgres: UnderTest, database: str) -> None:
    """Fault 36 with everybody at it: sweepers, workers and forty authors, each on connections of their own."""
    challenges = await all_noticed(postgres, 40)
    github = GitHub()
    async with open_postgres(database) as backend, open_postgres(database) as other:

        async def passes(challenge: Challenge) -> None:
            await asyncio.sleep(challenge.pr_number * 0.003)
            await backend.verify(challenge)

        await asyncio.gather(
            *(passes(challenge) for challenge in challenges),
            *(other.sweep(limit=7) for _ in range(8)),
            github.work(other, "worker-1", rounds=30),
            github.work(postgres, "worker-2", rounds=30),
        )
    await postgres.advance(HOUR_S)  # closes of one repository are spaced out, and so are retries
    await github.work(postgres, "worker-3", rounds=200)
    statuses = [(await postgres.store.challenges.get(challenge.id)).status for challenge in challenges]
    assert (Counter(statuses), github.closed) == (Counter({ChallengeStatus.VERIFIED: 40}), set())


async def test_ten_sweepers_at_once_close_each_once(postgres: UnderTest, database: str) -> None:
    """Fault 37: ten processes with pools of their own over the same two hundred."""
    challenges = await all_noticed(postgres, 200)
    async with AsyncExitStack() as stack:
        sweepers = [await stack.enter_async_context(open_postgres(database)) for _ in range(10)]

        async def sweep(sweeper: UnderTest) -> int:
            swept = 0
            while batch := sum(await sweeper.sweep(limit=9)):
                swept += batch
            return swept

        swept = await asyncio.gather(*(sweep(sweeper) for sweeper in sweepers))
    assert sum(swept) == len(challenges)
    assert await closes_of(postgres) == {number: [ActionStatus.PENDING] for number in range(1, 201)}


async def test_a_webhook_that_is_40_minutes_late_costs_its_author_nothing(store: UnderTest) -> None:
    """Fault 38: the pull request is older than the window, which begins with the comment all the same."""
    await store.connect()
    now = await store.store.health.now()
    before = now.timestamp() - 40 * 60
    late = a_pull_request_event()
    seconds = before - late.event_time.timestamp()
    challenge = await store.noticed(seconds=seconds)
    assert challenge.deadline_at is not None
    assert (challenge.deadline_at - now).total_seconds() >= WINDOW_S
    assert await store.sweep() == (0, 0)
    await store.advance(WINDOW_S - 60)
    assert await store.sweep() == (0, 0)
    await store.advance(61)
    assert await store.sweep() == (1, 0)


@pytest.mark.parametrize("how", ["refused", "fails until it is given up", "never answered"])
async def test_without_a_comment_nobody_is_closed(store: UnderTest, how: str) -> None:
    """Fault 39: whichever way the comment cannot be posted, the challenge is canceled and no close is ever queued."""
    await store.connect()
    challenge = await store.challenged()
    for _ in range(RULES.max_attempts):
        for action in await store.claim():
            if how != "never answered":
                await store.settle(action, Outcome.FAILED if how == "refused" else Outcome.RETRYABLE_FAILURE)
        await store.advance(HOUR_S)
    await store.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=10)
    await store.advance(30 * 24 * HOUR_S)
    assert await store.sweep() == (0, 0)
    after = await store.store.challenges.get(challenge.id)
    assert (after.status, after.reason) == (ChallengeStatus.CANCELED, CancelReason.NOTICE_FAILED)
    assert await store.statuses() == [(UPSERT, ActionStatus.FAILED)]


async def test_a_maintainers_reopen_is_never_closed_again(store: UnderTest) -> None:
    """Fault 35: neither a push nor a month later, and the old challenge cannot come back either."""
    await store.connect()
    await store.timed_out()
    await store.run_all()
    await store.take(a_pull_request_event("closed", seconds=5000))
    await store.take(a_pull_request_event("reopened", seconds=6000, sender=MAINTAINER))
    await store.take(a_pull_request_event("synchronize", seconds=7000))
    await store.advance(30 * 24 * HOUR_S)
    assert await store.sweep() == (0, 0)
    assert CLOSE not in [action.action_type for action in await store.run_all()]


async def test_a_human_who_closes_before_the_deadline_hears_nothing_more(store: UnderTest) -> None:
    """Fault 34."""
    await store.connect()
    await store.noticed()
    await store.take(a_pull_request_event("closed", seconds=60, merged=True))
    await store.advance(30 * 24 * HOUR_S)
    assert (await store.sweep(), await store.run_all()) == ((0, 0), [])


async def test_an_action_that_always_fails_ends_with_its_reason_and_delays_nobody(store: UnderTest) -> None:
    """Fault 44: one of three pull requests never works; brought back by an operator, it does."""
    await store.connect()
    for number in (1, 2, 3):
        await store.challenged(number)
    done: list[int] = []
    for _ in range(RULES.max_attempts):
        for action in await store.claim():
            if action.pr_number == 1:
                await store.settle(action, Outcome.RETRYABLE_FAILURE, failure_code="HTTP_500", failure_message="oh")
            else:
                await store.settle(action, comment_id=COMMENT)
                done.append(action.pr_number)
        await store.advance(HOUR_S)
    (dead,) = await store.store.actions.search(status=ActionStatus.FAILED)
    assert (done, dead.pr_number, dead.failure_code, dead.attempts) == ([2, 3], 1, "HTTP_500", RULES.max_attempts)
    assert await store.claim() == []
    await store.store.actions.retry(dead.id, context=store.context, actor="ops")
    assert [action.id for action in await store.run_all()] == [dead.id]
    renewed = (await store.action(dead.id)).challenge_id
    assert renewed is not None
    assert (await store.store.challenges.get(renewed)).deadline_at is not None


async def test_a_lowered_limit_leaves_nothing_that_nobody_takes(store: UnderTest) -> None:
    """Fault 44, invariant 10: what has more attempts than are allowed by now is dead, and what follows it goes on."""
    await store.connect()
    challenge = await store.noticed()
    await store.extend(challenge)
    (rewrite,) = await store.claim()
    await store.settle(rewrite, Outcome.RETRYABLE_FAILURE, failure_code="HTTP_500")
    assert await store.store.upkeep.rescue_expired(max_attempts=1, limit=10) == (0, 1)
    dead = await store.action(rewrite.id)
    assert (dead.status, dead.failure_code) == (ActionStatus.FAILED, "HTTP_500")
    await store.verify(challenge)
    assert [comment_of(action).reason for action in await store.run_all()] == ["VERIFIED"]
