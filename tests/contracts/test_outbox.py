"""Port ``Outbox``: claims, leases, order, fairness."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID

import pytest

from centralbot.domain.actions import DEFAULT_ACTION_TYPES, ActionType
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.errors import ActionNotHeld
from centralbot.domain.outbox import ActionStatus, Outcome
from centralbot.ports.deliveries import SignatureReplayed
from tests.builders import a_settlement, an_installation_event, comment_of
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
    await store.run_all()
    await store.verify(challenge)
    (reopen,) = await store.claim()
    await store.settle(reopen, RETRYABLE, retry_after_s=30)
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

    async def test_an_unsuspended_installation_goes_on_at_once(self, store: UnderTest) -> None:
        """The pause was for what is over."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        await store.settle(action, Outcome.RELEASED, pause_installation_s=3600)
        await store.install(an_installation_event("suspend", seconds=-900))
        await store.install(an_installation_event("unsuspend", seconds=-800))
        assert [a.id for a in await store.claim()] == [action.id]

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
        assert await store.store.upkeep.cancel_orphaned(limit=10) == 1
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
        assert [comment_of(action).reason for action in done] == ["VERIFIED"]
        assert [status for _, status in await store.statuses()] == [ActionStatus.CANCELED, DONE]

    async def test_one_that_is_under_way_is_left_to_finish(self, store: UnderTest) -> None:
        """The newer one follows it."""
        await store.connect()
        challenge = await store.challenged()
        (first,) = await store.claim()
        await store.verify(challenge)
        assert await store.settle(first) == DONE
        assert [comment_of(action).reason for action in await store.run_all()] == ["VERIFIED"]

    async def test_one_whose_lease_ran_out_goes_too(self, store: UnderTest) -> None:
        """Its worker's late result is refused."""
        await store.connect()
        challenge = await store.challenged()
        (first,) = await store.claim()
        await store.advance(RULES.lease_s + 1)
        await store.verify(challenge)
        with pytest.raises(ActionNotHeld):
            await store.settle(first)
        assert [comment_of(action).reason for action in await store.run_all()] == ["VERIFIED"]


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
