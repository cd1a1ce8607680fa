"""Port ``Outbox``: results, and whose results count."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from centralbot.domain.actions import ALREADY_CLOSED, ActionType
from centralbot.domain.challenge import CancelReason, ChallengeStatus
from centralbot.domain.errors import ActionNotHeld, NotFound
from centralbot.domain.outbox import ActionStatus, Outcome
from tests.builders import a_pull_request_event, a_settlement
from tests.contracts.driver import COMMENT, RULES, UnderTest

DONE, PENDING, FAILED = ActionStatus.DONE, ActionStatus.PENDING, ActionStatus.FAILED
RETRYABLE = Outcome.RETRYABLE_FAILURE


@pytest.mark.parametrize(
    ("outcome", "status", "attempts_next"),
    [
        (Outcome.SUCCEEDED, DONE, None),
        (Outcome.FAILED, FAILED, None),
        (RETRYABLE, PENDING, 2),
        (Outcome.RELEASED, PENDING, 1),
    ],
)
async def test_each_result_does_what_the_contract_says(
    store: UnderTest, outcome: Outcome, status: ActionStatus, attempts_next: int | None
) -> None:
    """A released claim is not counted."""
    await store.connect()
    await store.opened()
    (action,) = await store.claim()
    assert await store.settle(action, outcome) == status
    assert (await store.action(action.id)).status == status
    await store.advance(3600)
    assert [a.attempts for a in await store.claim()] == ([] if attempts_next is None else [attempts_next])


async def test_a_released_action_is_claimable_at_once(store: UnderTest) -> None:
    """A shutdown delays nothing."""
    await store.connect()
    await store.opened()
    (action,) = await store.claim()
    await store.settle(action, Outcome.RELEASED)
    assert [a.id for a in await store.claim("worker-2")] == [action.id]


async def test_the_delay_of_a_retry_grows(store: UnderTest) -> None:
    """1.5 s after the first failure, 3 s after the second, at half jitter."""
    await store.connect()
    await store.opened()
    waits = []
    for _ in range(2):
        (action,) = await store.claim()
        await store.settle(action, RETRYABLE)
        waited = 0
        while not (again := await store.claim()):
            await store.advance(1)
            waited += 1
        waits.append(waited)
        await store.settle(again[0], Outcome.RELEASED)
    assert waits == [2, 3]


async def test_a_worker_may_ask_for_a_delay(store: UnderTest) -> None:
    """GitHub's retry-after."""
    await store.connect()
    await store.opened()
    (action,) = await store.claim()
    await store.settle(action, RETRYABLE, retry_after_s=500)
    await store.advance(490)
    assert await store.claim() == []
    await store.advance(11)
    assert len(await store.claim()) == 1


async def test_the_last_allowed_attempt_is_the_end(store: UnderTest) -> None:
    """Dead with its reason, and kept."""
    await store.connect()
    await store.opened()
    statuses = []
    for _ in range(RULES.max_attempts):
        (action,) = await store.claim()
        statuses.append(await store.settle(action, RETRYABLE, failure_code="SERVER_ERROR", failure_message="502"))
        await store.advance(3600)
    assert statuses == [PENDING, PENDING, FAILED]
    dead = await store.action(action.id)
    assert (dead.status, dead.attempts, dead.failure_code, dead.failure_message) == (FAILED, 3, "SERVER_ERROR", "502")


class TestWhoseResultCounts:
    """Invariant 5."""

    async def test_the_same_result_again_gets_the_same_answer(self, store: UnderTest) -> None:
        """The first answer was lost on its way."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        assert [await store.settle(action) for _ in range(3)] == [DONE] * 3

    async def test_a_repeated_retryable_result_counts_once(self, store: UnderTest) -> None:
        """It waits, and one attempt is counted."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        assert [await store.settle(action, RETRYABLE) for _ in range(3)] == [PENDING] * 3
        assert (await store.action(action.id)).attempts == 1

    async def test_a_caller_without_tokens_repeats_by_its_worker_id(self, store: UnderTest) -> None:
        """The unmarked contract."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        assert [await store.settle(action, claim_token=None) for _ in range(2)] == [DONE] * 2

    @pytest.mark.parametrize(
        "fields",
        [
            {"worker_id": "worker-2"},
            {"worker_id": "worker-2", "claim_token": None},
            {"claim_token": uuid4()},
            {"outcome": RETRYABLE},
        ],
    )
    async def test_what_differs_is_no_repeat(self, store: UnderTest, fields: dict[str, Any]) -> None:
        """Another worker, another claim, another outcome."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        await store.settle(action)
        with pytest.raises(ActionNotHeld):
            await store.store.outbox.settle(replace(a_settlement(action), **fields))

    async def test_an_old_result_is_no_repeat_once_the_action_was_claimed_again(self, store: UnderTest) -> None:
        """By the same worker: the second claim is under way, whatever became of the first."""
        await store.connect()
        await store.opened()
        (first,) = await store.claim()
        await store.settle(first, RETRYABLE)
        await store.advance(3600)
        (second,) = await store.claim()
        with pytest.raises(ActionNotHeld):
            await store.settle(first, RETRYABLE)
        assert await store.settle(second) == DONE

    async def test_done_stays_done(self, store: UnderTest) -> None:
        """Another outcome afterwards is refused."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        await store.settle(action)
        with pytest.raises(ActionNotHeld):
            await store.settle(action, Outcome.FAILED)
        assert (await store.action(action.id)).status == DONE

    async def test_another_worker_is_refused(self, store: UnderTest) -> None:
        """Whatever token it shows."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        for token in (action.claim_token, None):
            with pytest.raises(ActionNotHeld):
                await store.settle(action, worker_id="worker-2", claim_token=token)

    async def test_a_wrong_token_is_refused(self, store: UnderTest) -> None:
        """Even from the right worker."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        with pytest.raises(ActionNotHeld):
            await store.settle(action, claim_token=uuid4())

    async def test_a_caller_without_tokens_is_known_by_its_worker_id(self, store: UnderTest) -> None:
        """The unmarked contract."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        assert await store.settle(action, claim_token=None) == DONE

    async def test_an_action_that_nobody_claimed_is_not_held(self, store: UnderTest) -> None:
        """A result out of nowhere."""
        await store.connect()
        await store.opened()
        (action,) = await store.store.actions.search()
        with pytest.raises(ActionNotHeld):
            await store.settle(action)

    async def test_an_unknown_action_is_not_found(self, store: UnderTest) -> None:
        """404, not 409."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        with pytest.raises(NotFound):
            await store.store.outbox.settle(replace(a_settlement(action), action_id=UUID(int=1)))

    async def test_a_result_after_the_lease_counts_while_nobody_else_took_over(self, store: UnderTest) -> None:
        """The work was done; doing it again would help nobody."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        await store.advance(RULES.lease_s + 1)
        assert await store.settle(action) == DONE

    async def test_a_stale_claim_changes_nothing(self, store: UnderTest) -> None:
        """Fault 4: the same worker, resumed past its lease, after another took over."""
        await store.connect()
        await store.opened()
        (stale,) = await store.claim("worker-1")
        await store.advance(RULES.lease_s + 1)
        (held,) = await store.claim("worker-2")
        with pytest.raises(ActionNotHeld):
            await store.settle(stale, Outcome.FAILED)
        assert (held.id, held.attempts, await store.settle(held)) == (stale.id, 2, DONE)

    async def test_a_stale_claim_of_the_same_worker_is_told_apart_by_its_token(self, store: UnderTest) -> None:
        """Its second claim holds; the first does not."""
        await store.connect()
        await store.opened()
        (stale,) = await store.claim()
        await store.advance(RULES.lease_s + 1)
        (held,) = await store.claim()
        with pytest.raises(ActionNotHeld):
            await store.settle(stale)
        assert await store.settle(held) == DONE

    async def test_a_lease_given_back_is_not_held(self, store: UnderTest) -> None:
        """Fault 5: recovery was first."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        await store.advance(RULES.lease_s + 1)
        await store.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=10)
        with pytest.raises(ActionNotHeld):
            await store.settle(action)

    async def test_two_results_at_once_have_one_winner(self, store: UnderTest) -> None:
        """Fault 5, in the same instant."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        results = await asyncio.gather(
            store.settle(action), store.settle(action, Outcome.FAILED), return_exceptions=True
        )
        assert sum(isinstance(result, ActionNotHeld) for result in results) == 1
        assert (await store.action(action.id)).status in results


class TestTheClock:
    """Invariant 1: it starts when the comment is known to be posted."""

    async def test_a_posted_comment_starts_it(self, store: UnderTest) -> None:
        """With the whole window ahead, however late the webhook came (fault 38)."""
        await store.connect()
        challenge = await store.challenged()
        await store.advance(2400)
        (action,) = await store.claim()
        posted_at = await store.store.health.now()
        await store.settle(action, comment_id=COMMENT)
        after = await store.store.challenges.get(challenge.id)
        assert after.deadline_at is not None
        assert (after.deadline_at - posted_at).total_seconds() >= challenge.window_s
        assert after.gate_comment_id == COMMENT

    async def test_a_second_comment_does_not_start_it_again(self, store: UnderTest) -> None:
        """Only the first notice counts; the comment's newest id does too."""
        await store.connect()
        challenge = await store.noticed()
        await store.extend(challenge)
        before = await store.store.challenges.get(challenge.id)
        await store.run_all(comment_id=COMMENT + 1)
        after = await store.store.challenges.get(challenge.id)
        assert (after.deadline_at, after.gate_comment_id) == (before.deadline_at, COMMENT + 1)

    async def test_what_is_known_of_the_comment_is_not_forgotten(self, store: UnderTest) -> None:
        """A worker that tells nothing new changes nothing, and so does one that tells the same."""
        await store.connect()
        challenge = await store.noticed()
        for comment_id in (None, COMMENT):
            before = await store.extend(challenge)
            await store.run_all(comment_id=comment_id)
            assert await store.store.challenges.get(challenge.id) == before
        assert before.gate_comment_id == COMMENT

    async def test_it_does_not_start_for_one_who_passed_already(self, store: UnderTest) -> None:
        """The comment that asks was still on its way."""
        await store.connect()
        challenge = await store.challenged()
        (notice,) = await store.claim()
        await store.verify(challenge)
        await store.settle(notice, comment_id=COMMENT)
        after = await store.store.challenges.get(challenge.id)
        assert (after.deadline_at, after.gate_comment_id) == (None, COMMENT)

    async def test_a_comment_that_can_never_be_posted_cancels_the_challenge(self, store: UnderTest) -> None:
        """Fault 39: nobody is closed unnoticed."""
        await store.connect()
        challenge = await store.challenged()
        (action,) = await store.claim()
        await store.settle(action, Outcome.FAILED, failure_code="LOCKED")
        after = await store.store.challenges.get(challenge.id)
        assert (after.status, after.reason) == (ChallengeStatus.CANCELED, CancelReason.NOTICE_FAILED)
        await store.advance(86_400)
        assert await store.sweep() == (0, 0)

    async def test_a_failed_rewrite_does_not_cancel_a_noticed_challenge(self, store: UnderTest) -> None:
        """The author was told already."""
        await store.connect()
        challenge = await store.noticed()
        await store.extend(challenge)
        (rewrite,) = await store.claim()
        await store.settle(rewrite, Outcome.FAILED)
        assert (await store.store.challenges.get(challenge.id)).status == ChallengeStatus.PENDING


async def test_a_close_by_somebody_else_is_not_ours_to_reopen(store: UnderTest) -> None:
    """Invariant 8: the queued reopen goes, the comment stays."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.verify(challenge)
    await store.settle(close, failure_code=ALREADY_CLOSED)
    assert [a.action_type for a in await store.run_all()] == [ActionType.UPSERT_PR_COMMENT]


async def test_a_cancelled_challenge_takes_its_queue_along(store: UnderTest) -> None:
    """Invariant 6."""
    await store.connect()
    await store.challenged()
    await store.take(a_pull_request_event("closed", seconds=1))
    assert await store.statuses() == [(ActionType.UPSERT_PR_COMMENT, ActionStatus.CANCELED)]
