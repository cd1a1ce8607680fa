"""What meets in the same moment on PostgreSQL: each test holds one side at the very point where the other comes."""

from __future__ import annotations

import asyncio

import psycopg

from centralbot.domain import gating
from centralbot.domain.actions import ActionType
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.gating import Decision, GateFacts, Reason
from centralbot.domain.outbox import ActionStatus
from tests.builders import MAINTAINER, REPO, a_pull_request_event, an_installation_event
from tests.contracts.driver import RULES, UnderTest
from tests.faults.elsewhere import elsewhere, until_somebody_waits

CLAIM = b"""
update bot_action_queue
   set attempts = 1, worker_id = 'worker-1', claim_token = gen_random_uuid(), run_at = now() + interval '60 seconds'
"""
"""What a claim writes."""


async def test_what_is_claimed_while_it_is_canceled_is_not_begun_again(postgres: UnderTest, database: str) -> None:
    """The cancellation waits for the claim's commit, and then it must still say that the action is overtaken."""
    await postgres.connect()
    await postgres.timed_out()
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as watcher:
        async with await psycopg.AsyncConnection.connect(database) as worker:
            await worker.execute(CLAIM)
            closed = a_pull_request_event("closed", seconds=9000, sender=MAINTAINER)
            taking = asyncio.create_task(postgres.take(closed))
            await until_somebody_waits(watcher)
            await worker.commit()
        await taking
    await postgres.advance(RULES.lease_s + 1)
    await postgres.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=10)
    assert await postgres.run_all() == []
    assert (await postgres.statuses())[-1] == (ActionType.CLOSE_PR_WITH_COMMENT, ActionStatus.CANCELED)


async def test_a_challenge_made_while_its_repository_leaves_is_not_pending_for_ever(
    postgres: UnderTest, database: str
) -> None:
    """The sweeper cancels the comment, so the challenge goes with it; back again the author is asked anew."""
    await postgres.connect()
    opened = a_pull_request_event()

    def decide(facts: GateFacts) -> Decision:
        elsewhere(database, lambda other: other.install(an_installation_event("removed", removed=(REPO,), seconds=1)))
        return gating.decide(postgres.context, opened, facts)

    outcome = await postgres.store.deliveries.take_pull_request(opened, decide)
    assert outcome.challenge_id is not None
    assert await postgres.store.upkeep.cancel_orphaned(limit=10) == 1
    challenge = await postgres.store.challenges.get(outcome.challenge_id)
    assert (challenge.status, challenge.reason) == (ChallengeStatus.CANCELED, "REPOSITORY_REMOVED")
    assert [event.event for event in await postgres.store.challenges.history(challenge.id)] == [
        "challenge.created",
        "challenge.canceled",
    ]
    await postgres.install(an_installation_event("added", added=(REPO,), seconds=2))
    assert (await postgres.take(a_pull_request_event("synchronize", seconds=3))).reason == Reason.CHALLENGED
