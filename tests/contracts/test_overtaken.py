"""What is decided against an action while a worker holds it takes effect when the action comes back.

A worker may have died before, after or in the middle of what it did, so nothing is undone; but nothing is begun again
either: a pull request that counts as let in is not closed by an old claim (invariants 6 and 7, faults 1, 35 and 36).
"""

from __future__ import annotations

import pytest

from centralbot.domain.actions import ActionType
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.outbox import ActionStatus, Outcome
from tests.builders import AUTHOR, MAINTAINER, a_pull_request_event, comment_of
from tests.contracts.driver import COMMENT, RULES, UnderTest

CLOSE, UPSERT = ActionType.CLOSE_PR_WITH_COMMENT, ActionType.UPSERT_PR_COMMENT


@pytest.mark.parametrize("outcome", [Outcome.RELEASED, Outcome.RETRYABLE_FAILURE])
async def test_a_close_overtaken_by_a_late_pass_is_not_tried_again(store: UnderTest, outcome: Outcome) -> None:
    """The reopen follows, in case that the close had happened after all."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.verify(challenge)
    assert await store.settle(close, outcome) == ActionStatus.CANCELED
    assert await store.settle(close, outcome) == ActionStatus.CANCELED
    assert (await store.action(close.id)).failure_code == "CHALLENGE_VERIFIED"
    await store.advance(3600)
    assert [a.action_type for a in await store.run_all()] == [ActionType.REOPEN_PR_WITH_COMMENT, UPSERT]


async def test_a_close_overtaken_by_a_late_pass_is_not_claimed_after_its_lease(store: UnderTest) -> None:
    """The worker is gone: whoever comes next does not begin it again."""
    await store.connect()
    challenge = await store.timed_out()
    await store.claim()
    await store.verify(challenge)
    await store.advance(RULES.lease_s + 1)
    assert CLOSE not in [a.action_type for a in await store.claim("worker-2")]
    await store.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=10)
    assert CLOSE not in [a.action_type for a in await store.run_all()]
    assert (await store.store.challenges.get(challenge.id)).status == ChallengeStatus.VERIFIED


async def test_what_overtook_it_first_is_its_reason(store: UnderTest) -> None:
    """A newer comment took its place before the author passed."""
    await store.connect()
    challenge = await store.noticed()
    await store.extend(challenge)
    (comment,) = await store.claim()
    await store.extend(challenge)
    await store.verify(challenge)
    assert await store.settle(comment, Outcome.RETRYABLE_FAILURE) == ActionStatus.CANCELED
    assert (await store.action(comment.id)).failure_code == "SUPERSEDED"


async def test_a_close_that_got_through_after_all_counts(store: UnderTest) -> None:
    """What happened, happened: it is done, and the reopen follows."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.verify(challenge)
    assert await store.settle(close, comment_id=COMMENT) == ActionStatus.DONE
    assert [a.action_type for a in await store.run_all()] == [ActionType.REOPEN_PR_WITH_COMMENT, UPSERT]


@pytest.mark.parametrize("sender", [AUTHOR, MAINTAINER])
async def test_a_reopened_pull_request_is_not_closed_by_a_lost_claim(store: UnderTest, sender: object) -> None:
    """Fault 35: the worker closed it and died, somebody reopened it, the lease ran out."""
    await store.connect()
    await store.timed_out()
    await store.claim()
    await store.take(a_pull_request_event("reopened", seconds=9000, sender=sender))
    await store.advance(RULES.lease_s + 1)
    await store.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=10)
    assert CLOSE not in [a.action_type for a in await store.run_all()]


async def test_a_gate_comment_overtaken_by_the_pull_requests_end_is_not_tried_again(store: UnderTest) -> None:
    """Nobody is asked to verify what was closed."""
    await store.connect()
    await store.challenged()
    (comment,) = await store.claim()
    await store.take(a_pull_request_event("closed", seconds=1))
    assert await store.settle(comment, Outcome.RETRYABLE_FAILURE) == ActionStatus.CANCELED
    await store.advance(3600)
    assert await store.run_all() == []


async def test_an_overtaken_comment_gives_way_to_the_newer_text(store: UnderTest) -> None:
    """One write instead of two."""
    await store.connect()
    challenge = await store.challenged()
    (comment,) = await store.claim()
    await store.verify(challenge)
    assert await store.settle(comment, Outcome.RELEASED) == ActionStatus.CANCELED
    assert [comment_of(a).reason for a in await store.run_all()] == ["VERIFIED"]


async def test_the_last_lost_claim_of_an_overtaken_action_is_no_dead_letter(store: UnderTest) -> None:
    """Nothing for an operator to bring back."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.verify(challenge)
    await store.advance(RULES.lease_s + 1)
    await store.store.upkeep.rescue_expired(max_attempts=1, limit=10)
    assert (await store.action(close.id)).status == ActionStatus.CANCELED
