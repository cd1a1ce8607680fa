"""Port ``Outbox``: claims, leases, results, fairness."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from centralbot.domain.challenge import CancelReason, ChallengeStatus
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.errors import ActionNotHeld, NotFound
from centralbot.domain.outbox import ActionStatus, ActionType, Outcome
from centralbot.ports.driven.deliveries import SignatureReplayed
from centralbot.ports.driven.outbox import DEFAULT_ACTION_TYPES
from tests.builders import a_pull_request_event, a_settlement, an_installation_event
from tests.contracts.driver import COMMENT, RULES, UnderTest

DONE, PENDING, FAILED = ActionStatus.DONE, ActionStatus.PENDING, ActionStatus.FAILED
RETRYABLE = Outcome.RETRYABLE_FAILURE


async def test_a_claim_leases_with_a_token(store: UnderTest) -> None:
    """``attempts`` includes this claim; ``run_at`` is where the lease ends."""
    await store.connect()
    await store.opened()
    (action,) = await store.claim("worker-7")
    assert (action.status, action.worker_id, action.attempts) == (ActionStatus.CLAIMED, "worker-7", 1)
    assert action.claim_token is not None
    assert (action.run_at - action.created_at).total_seconds() >= RULES.lease_s


async def test_what_is_claimed_is_not_claimed_again(store: UnderTest) -> None:
    """Until the lease runs out."""
    await store.connect()
    await store.opened()
    assert len(await store.claim("worker-1")) == 1
    assert await store.claim("worker-2") == []


async def test_the_oldest_come_first(store: UnderTest) -> None:
    """Within one installation, as far as the limit reaches."""
    await store.connect()
    for number in range(1, 6):
        await store.opened(number)
    batches = [{a.pr_number for a in await store.claim(limit=2)} for _ in range(3)]
    assert batches == [{1, 2}, {3, 4}, {5}]


async def test_one_pull_request_gets_one_action_at_a_time(store: UnderTest) -> None:
    """Invariant 6: the close waits for the comment, and what follows waits for the close."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.verify(challenge)
    assert await store.claim() == []
    await store.settle(close, comment_id=COMMENT)
    assert [a.action_type for a in await store.run_all()] == [
        ActionType.REOPEN_PR_WITH_COMMENT,
        ActionType.UPSERT_PR_COMMENT,
    ]


async def test_an_action_that_waits_for_its_retry_holds_its_pull_request_back(store: UnderTest) -> None:
    """Order counts more than speed, within one pull request."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.verify(challenge)
    await store.settle(close, RETRYABLE, retry_after_s=30)
    assert await store.claim() == []


async def test_other_pull_requests_do_not_wait(store: UnderTest) -> None:
    """Fault 44: one that always fails delays nobody."""
    await store.connect()
    await store.opened(1)
    (first,) = await store.claim()
    await store.settle(first, RETRYABLE, retry_after_s=1000)
    await store.opened(2)
    assert [a.pr_number for a in await store.claim()] == [2]


async def test_only_the_types_asked_for_are_claimed(store: UnderTest) -> None:
    """A worker that knows no reopen never gets one."""
    await store.connect()
    challenge = await store.timed_out()
    await store.run_all()
    await store.verify(challenge)
    assert await store.claim(types=DEFAULT_ACTION_TYPES) == []
    assert [a.action_type for a in await store.claim()] == [ActionType.REOPEN_PR_WITH_COMMENT]


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
        await store.store.upkeep.return_expired(max_attempts=RULES.max_attempts, limit=10)
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


async def test_a_replayed_signature_claims_and_settles_nothing(store: UnderTest) -> None:
    """Fault 22."""
    await store.connect()
    await store.opened(1)
    await store.opened(2)
    use = SignatureUse(signed_at=1_771_243_200, digest=b"c" * 32)
    (action,) = await store.claim(limit=1, use=use)
    with pytest.raises(SignatureReplayed):
        await store.claim(use=use)
    with pytest.raises(SignatureReplayed):
        await store.store.outbox.settle(a_settlement(action), use=use)
    assert len(await store.claim()) == 1
    assert (await store.action(action.id)).status == ActionStatus.CLAIMED


class TestInstallations:
    """An installation that cannot be served waits alone."""

    async def test_a_pause_stops_all_of_that_installation(self, store: UnderTest) -> None:
        """Fault 18: for every replica, and no attempt is counted for what waits."""
        await store.connect(1)
        await store.connect(2, installation_id=124)
        for number in (1, 2):
            await store.opened(number, repo_id=1)
        await store.opened(1, repo_id=2, installation_id=124)
        (limited,) = [a for a in await store.claim(per_installation=1) if a.installation_id != 124]
        await store.settle(limited, Outcome.RELEASED, pause_installation_s=60)
        assert await store.claim("worker-2") == []
        await store.advance(61)
        ours = [a for a in await store.claim("worker-2") if a.installation_id != 124]
        assert [a.attempts for a in ours] == [1, 1]

    async def test_a_shorter_pause_does_not_end_a_longer_one(self, store: UnderTest) -> None:
        """The later end counts."""
        await store.connect()
        await store.opened(1)
        await store.opened(2)
        first, second = await store.claim()
        await store.settle(first, Outcome.RELEASED, pause_installation_s=600)
        await store.settle(second, Outcome.RELEASED, pause_installation_s=5)
        await store.advance(100)
        assert await store.claim() == []

    async def test_a_suspended_installation_waits_without_burning_attempts(self, store: UnderTest) -> None:
        """Fault 14."""
        await store.connect()
        await store.opened()
        await store.install(an_installation_event("suspend", seconds=-900))
        await store.advance(86_400)
        assert await store.claim() == []
        await store.install(an_installation_event("unsuspend", seconds=-800))
        assert [a.attempts for a in await store.claim()] == [1]

    async def test_a_live_claim_survives_the_deletion_and_then_it_is_over(self, store: UnderTest) -> None:
        """Fault 15: no retry storm."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        await store.install(an_installation_event("deleted", seconds=1))
        assert (await store.action(action.id)).status == ActionStatus.CLAIMED
        await store.settle(action, RETRYABLE)
        await store.advance(3600)
        assert await store.claim() == []
        assert await store.store.upkeep.cancel_strays(limit=10) == 1
        assert (await store.action(action.id)).status == ActionStatus.CANCELED

    async def test_nobody_starves(self, store: UnderTest) -> None:
        """Invariant 9: 500 of one, 1 of another, and the other's is in the first claim."""
        await store.connect(1)
        await store.connect(2, installation_id=124)
        await asyncio.gather(*(store.opened(n, repo_id=1) for n in range(1, 501)))
        await store.opened(1, repo_id=2, installation_id=124)
        assert Counter(a.installation_id for a in await store.claim(limit=10)) == {123: 9, 124: 1}

    async def test_everybody_gets_one_before_anybody_gets_two(self, store: UnderTest) -> None:
        """As far as the limit reaches."""
        for i in range(5):
            await store.connect(10 + i, installation_id=200 + i)
            for number in (1, 2, 3):
                await store.opened(number, repo_id=10 + i, installation_id=200 + i)
        shares = Counter(a.installation_id for a in await store.claim(limit=7))
        assert sorted(shares.values()) in ([1, 1, 1, 1, 3], [1, 1, 1, 2, 2])

    async def test_live_leases_of_one_installation_can_be_bounded(self, store: UnderTest) -> None:
        """All workers taken together; a settled one makes room, and so does a lease that ran out."""
        await store.connect()
        for number in range(1, 8):
            await store.opened(number)
        first = await store.claim("worker-1", per_installation=3)
        assert (len(first), await store.claim("worker-2", per_installation=3)) == (3, [])
        await store.settle(first[0])
        assert len(await store.claim("worker-2", per_installation=3)) == 1
        await store.advance(RULES.lease_s + 1)
        assert len(await store.claim("worker-3", per_installation=3)) == 3


async def test_claims_at_once_never_overlap(store: UnderTest) -> None:
    """Eight workers, sixty actions, each held once."""
    await store.connect()
    await asyncio.gather(*(store.opened(n) for n in range(1, 61)))

    async def drain(worker_id: str) -> list[UUID]:
        held: list[UUID] = []
        misses = 0
        while misses < 3:
            batch = await store.claim(worker_id, limit=4)
            held += [action.id for action in batch]
            misses = 0 if batch else misses + 1
        return held

    held = await asyncio.gather(*(drain(f"worker-{i}") for i in range(8)))
    claimed = [action_id for ids in held for action_id in ids]
    assert (len(claimed), len(set(claimed))) == (60, 60)


class TestSupersession:
    """A newer comment of one marker replaces an unexecuted older one."""

    async def test_the_unexecuted_older_one_goes(self, store: UnderTest) -> None:
        """One comment is made, with the newest text."""
        await store.connect()
        challenge = await store.challenged()
        await store.verify(challenge)
        done = await store.run_all()
        assert [action.reason for action in done] == ["VERIFIED"]
        assert [status for _, status in await store.statuses()] == [ActionStatus.CANCELED, DONE]

    async def test_one_that_is_under_way_is_left_to_finish(self, store: UnderTest) -> None:
        """The newer one follows it."""
        await store.connect()
        challenge = await store.challenged()
        (first,) = await store.claim()
        await store.verify(challenge)
        assert await store.settle(first) == DONE
        assert [action.reason for action in await store.run_all()] == ["VERIFIED"]

    async def test_one_whose_lease_ran_out_goes_too(self, store: UnderTest) -> None:
        """Its worker's late result is refused."""
        await store.connect()
        challenge = await store.challenged()
        (first,) = await store.claim()
        await store.advance(RULES.lease_s + 1)
        await store.verify(challenge)
        with pytest.raises(ActionNotHeld):
            await store.settle(first)
        assert [action.reason for action in await store.run_all()] == ["VERIFIED"]


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
    await store.settle(close, comment_id=None)
    assert [a.action_type for a in await store.run_all()] == [ActionType.UPSERT_PR_COMMENT]


async def test_a_cancelled_challenge_takes_its_queue_along(store: UnderTest) -> None:
    """Invariant 6."""
    await store.connect()
    await store.challenged()
    await store.take(a_pull_request_event("closed", seconds=1))
    assert await store.statuses() == [(ActionType.UPSERT_PR_COMMENT, ActionStatus.CANCELED)]


class TestWaiting:
    """A claim that waits."""

    async def test_new_work_wakes(self, store: UnderTest) -> None:
        """Long before the timeout."""
        await store.connect()
        waiting = asyncio.create_task(store.store.outbox.wait(20))
        await asyncio.sleep(0.05)
        await store.opened()
        await asyncio.wait_for(waiting, 15)
        assert len(await store.claim()) == 1

    async def test_nothing_new_ends_at_the_timeout(self, store: UnderTest) -> None:
        """And nothing is raised."""
        await store.connect()
        await store.store.outbox.wait(0.05)
        assert await store.claim() == []
