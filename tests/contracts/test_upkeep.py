"""Port ``Upkeep``: deadlines, leases, strays, retention."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from datetime import timedelta

from centralbot.domain import verdicts
from centralbot.domain.actions import ActionReason, ActionType
from centralbot.domain.challenge import CancelReason, ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.effects import Effects
from centralbot.domain.events import IngestStatus
from centralbot.domain.outbox import ActionStatus, NewAction, Outcome
from centralbot.domain.rules import WHITELISTED
from centralbot.domain.verdicts import CLOSE_SPACING_S, ChallengeFacts
from centralbot.ports.challenges import Retention
from tests.builders import (
    AUTHOR,
    INSTALLATION,
    REPO,
    WINDOW_S,
    a_config,
    a_pull_request_event,
    an_installation_event,
    comment_of,
)
from tests.contracts.driver import RULES, UnderTest

CLOSE = ActionType.CLOSE_PR_WITH_COMMENT


async def prune(store: UnderTest, *, hours: float, limit: int = 100) -> int:
    """Forget what is older than ``hours`` from now (negative: what will be by then)."""
    before = await store.store.health.now() - timedelta(hours=hours)
    retention = Retention(deliveries_before=before, actions_before=before, audit_before=before)
    return await store.store.upkeep.prune(retention, limit=limit)


async def test_a_due_challenge_times_out_and_its_close_is_queued(store: UnderTest) -> None:
    """The main path of the sweeper."""
    await store.connect()
    challenge = await store.noticed()
    await store.advance(WINDOW_S + 1)
    assert await store.sweep() == (1, 0)
    assert (await store.store.challenges.get(challenge.id)).status == ChallengeStatus.TIMED_OUT_CLOSED
    (action,) = await store.claim()
    assert (action.action_type, comment_of(action).reason, comment_of(action).marker) == (
        CLOSE,
        ActionReason.CHALLENGE_TIMED_OUT,
        f"centralbot:timeout:{challenge.id}",
    )


async def test_one_that_is_not_due_is_left_alone(store: UnderTest) -> None:
    """Until its last second."""
    await store.connect()
    await store.noticed()
    await store.advance(WINDOW_S - 30)
    assert await store.sweep() == (0, 0)


async def test_an_unnoticed_challenge_is_never_due(store: UnderTest) -> None:
    """Invariant 1, and fault 39."""
    await store.connect()
    await store.challenged()
    await store.advance(30 * 86_400)
    assert await store.sweep() == (0, 0)


async def test_the_whitelist_is_read_again_at_the_deadline(store: UnderTest) -> None:
    """Exempt, and nothing is queued to close."""
    await store.connect()
    challenge = await store.noticed()
    await store.store.whitelist.add(REPO, AUTHOR, actor="test")
    await store.advance(WINDOW_S + 1)
    assert await store.sweep() == (0, 1)
    after = await store.store.challenges.get(challenge.id)
    assert (after.status, after.reason) == (ChallengeStatus.EXEMPT, WHITELISTED.code)
    assert [comment_of(action).reason for action in await store.claim()] == [ActionReason.EXEMPT]


async def test_many_sweepers_at_once_close_each_once(store: UnderTest) -> None:
    """Fault 37."""
    await store.connect()
    for number in range(1, 21):
        await store.opened(number)
    await store.run_all()
    await store.advance(WINDOW_S + 1)
    swept = await asyncio.gather(*(store.sweep(limit=7) for _ in range(10)))
    swept += [await store.sweep()]
    assert sum(timed_out for timed_out, _ in swept) == 20
    closes = [a.pr_number for a in await store.store.actions.search(limit=1000) if a.action_type is CLOSE]
    assert sorted(closes) == list(range(1, 21))


async def test_a_batch_is_bounded_and_starts_with_the_oldest_deadline(store: UnderTest) -> None:
    """What is left comes in the next batch."""
    await store.connect()
    challenges = []
    for number in (1, 2, 3):
        challenges.append(await store.noticed(number))
        await store.advance(1)
    await store.advance(WINDOW_S + 1)
    assert await store.sweep(limit=2) == (2, 0)
    statuses = [(await store.store.challenges.get(c.id)).status for c in challenges]
    assert statuses == [ChallengeStatus.TIMED_OUT_CLOSED] * 2 + [ChallengeStatus.PENDING]
    assert [await store.sweep(limit=2) for _ in range(2)] == [(1, 0), (0, 0)]


async def test_closes_of_one_repository_are_spaced_out(store: UnderTest) -> None:
    """Fault 40: a sweeper that was down for a week does not close them all in one second."""
    await store.connect(1, 2)
    for number in (1, 2, 3):
        await store.noticed(number, repo_id=1)
    await store.noticed(1, repo_id=2)
    await store.advance(7 * 86_400)
    assert await store.sweep() == (4, 0)
    rounds = []
    for _ in range(3):
        rounds.append(sorted(a.repo_id for a in await store.claim()))
        await store.advance(CLOSE_SPACING_S)
    assert rounds == [[1, 2], [1], [1]]


async def test_sweepers_at_once_space_their_closes_together(store: UnderTest) -> None:
    """Fault 40: what one is about to queue counts for the others."""
    await store.connect(1)
    for number in range(1, 13):
        await store.noticed(number, repo_id=1)
    await store.advance(7 * 86_400)
    await asyncio.gather(*(store.sweep(limit=3) for _ in range(4)))
    await store.sweep()
    rounds = []
    for _ in range(12):
        rounds.append(len(await store.claim()))
        await store.advance(CLOSE_SPACING_S)
    assert rounds == [1] * 12


async def test_the_spacing_goes_on_from_batch_to_batch(store: UnderTest) -> None:
    """Fault 40: small batches, or several sweepers, are no way around it."""
    await store.connect(1)
    for number in (1, 2, 3):
        await store.noticed(number, repo_id=1)
    await store.advance(7 * 86_400)
    assert [await store.sweep(limit=1) for _ in range(3)] == [(1, 0)] * 3
    rounds = []
    for _ in range(3):
        rounds.append(len(await store.claim()))
        await store.advance(CLOSE_SPACING_S)
    assert rounds == [1, 1, 1]


async def test_what_a_sweep_writes_is_what_was_decided(store: UnderTest) -> None:
    """Every field, for every kind of decision in one batch: closes, one without a close (shadow), one exempt."""
    await store.connect(1, 2)
    await store.connect(3, installation_id=43, config=a_config(Mode.SHADOW))
    for number, repo_id, author in ((1, 1, 5001), (2, 1, 5002), (1, 2, 5003), (3, 1, 5004)):
        await store.noticed(number, repo_id=repo_id, author=replace(AUTHOR, id=author))
    await store.noticed(9, repo_id=3, installation_id=43)
    await store.store.whitelist.add(1, replace(AUTHOR, id=5002), actor="test")
    await store.advance(WINDOW_S + 1)
    before = {action.id for action in await store.store.actions.search(limit=1000)}
    decided: list[Effects] = []

    def decide(facts: ChallengeFacts, position: int) -> Effects:
        decided.append(verdicts.on_deadline(store.context, facts, position=position))
        return decided[-1]

    assert await store.store.upkeep.sweep_due(decide, limit=100) == (4, 1)
    for effects in decided:
        assert effects.changed is not None
        assert await store.store.challenges.get(effects.changed.challenge.id) == effects.changed.challenge
    written = [action for action in await store.store.actions.search(limit=1000) if action.id not in before]
    wanted = {new.id: new for effects in decided for new in effects.actions}
    assert len(written) == len(wanted) == 4
    same = [field.name for field in fields(NewAction) if field.name != "delay_s"]
    for action in written:
        new = wanted[action.id]
        assert [getattr(action, name) for name in same] == [getattr(new, name) for name in same]
        assert round((action.run_at - action.created_at).total_seconds()) == new.delay_s
    closes = sorted(
        (action for action in written if action.repo_id == 1 and action.action_type is CLOSE),
        key=lambda action: action.seq,
    )
    assert [action.pr_number for action in closes] == [1, 3]
    told = [event for effects in decided for event in effects.audit]
    audit = [event for repo_id in (1, 2, 3) for event in await store.store.reports.audit(repo_id)]
    assert [event for event in audit if event.id in {one.id for one in told}] == sorted(
        told, key=lambda event: (event.repo_id or 0, -event.id.int)
    )


class TestExpiredLeases:
    """Work whose worker is gone."""

    async def test_it_comes_back(self, store: UnderTest) -> None:
        """And the lost claim counts."""
        await store.connect()
        await store.opened()
        (lost,) = await store.claim()
        await store.advance(RULES.lease_s + 1)
        assert await store.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=10) == (1, 0)
        assert (await store.action(lost.id)).status == ActionStatus.PENDING
        assert [a.attempts for a in await store.claim("worker-2")] == [2]

    async def test_a_live_lease_is_left_alone(self, store: UnderTest) -> None:
        """Its worker is still at it."""
        await store.connect()
        await store.opened()
        await store.claim()
        await store.advance(RULES.lease_s - 20)
        assert await store.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=10) == (0, 0)

    async def test_the_last_allowed_one_is_dead_and_its_challenge_canceled(self, store: UnderTest) -> None:
        """Invariant 1 again: nobody is closed for a comment that never came."""
        await store.connect()
        challenge = await store.challenged()
        for _ in range(RULES.max_attempts):
            (lost,) = await store.claim()
            await store.advance(RULES.lease_s + 1)
        assert await store.claim() == []
        assert await store.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=10) == (0, 1)
        dead = await store.action(lost.id)
        assert (dead.status, dead.failure_code) == (ActionStatus.FAILED, "LEASE_EXPIRED")
        after = await store.store.challenges.get(challenge.id)
        assert (after.status, after.reason) == (ChallengeStatus.CANCELED, CancelReason.NOTICE_FAILED)

    async def test_sweepers_at_once_return_each_once(self, store: UnderTest) -> None:
        """In bounded batches."""
        await store.connect()
        for number in range(1, 11):
            await store.opened(number)
        await store.claim()
        await store.advance(RULES.lease_s + 1)
        upkeep = store.store.upkeep
        counts = await asyncio.gather(
            *(upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=4) for _ in range(5))
        )
        counts.append(await upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=100))
        assert sum(returned for returned, _ in counts) == 10


class TestStrays:
    """What was queued, or came back, after its installation had gone."""

    async def test_actions_of_a_repository_that_left_are_canceled(self, store: UnderTest) -> None:
        """Their live claim was left to end first."""
        await store.connect()
        await store.opened()
        (held,) = await store.claim()
        await store.install(an_installation_event("removed", removed=(REPO,), seconds=1))
        assert await store.store.upkeep.cancel_orphaned(limit=10) == 0
        await store.settle(held, Outcome.RELEASED)
        assert await store.store.upkeep.cancel_orphaned(limit=10) == 1
        assert (await store.action(held.id)).status == ActionStatus.CANCELED

    async def test_actions_of_an_installation_that_left_say_so(self, store: UnderTest) -> None:
        """Rather than that their repository did, though it did too."""
        await store.connect()
        await store.opened()
        (held,) = await store.claim()
        await store.install(an_installation_event("deleted", seconds=1))
        await store.settle(held, Outcome.RELEASED)
        assert await store.store.upkeep.cancel_orphaned(limit=10) == 1
        assert (await store.action(held.id)).failure_code == CancelReason.UNINSTALLED

    async def test_a_challenge_whose_comment_goes_astray_goes_with_it(self, store: UnderTest) -> None:
        """Invariant 1: an operator moved the repository meanwhile; its author would wait for a comment for ever."""
        await store.connect()
        await store.extend(noticed := await store.noticed(1))
        lost = await store.challenged(2)
        await store.store.repositories.connect(REPO, installation_id=INSTALLATION + 1, full_name="org/repo")
        assert await store.store.upkeep.cancel_orphaned(limit=10) == 2
        canceled = await store.store.actions.search(status=ActionStatus.CANCELED)
        assert [action.failure_code for action in canceled] == ["REPOSITORY_REMOVED"] * 2
        after = await store.store.challenges.get(lost.id)
        assert (after.status, after.reason) == (ChallengeStatus.CANCELED, "REPOSITORY_REMOVED")
        assert (await store.store.challenges.get(noticed.id)).status == ChallengeStatus.PENDING

    async def test_actions_of_a_suspended_installation_stay(self, store: UnderTest) -> None:
        """They wait."""
        await store.connect()
        await store.opened()
        await store.install(an_installation_event("suspend", seconds=1))
        assert await store.store.upkeep.cancel_orphaned(limit=10) == 0


class TestRetention:
    """What is old and settled goes; what is outstanding stays."""

    async def test_an_old_delivery_is_pruned(self, store: UnderTest) -> None:
        """Then it would be taken again, which GitHub no longer offers."""
        await store.connect()
        event = a_pull_request_event()
        await store.take(event)
        await prune(store, hours=1)
        assert (await store.take(event)).status == IngestStatus.DUPLICATE
        await prune(store, hours=-1)
        assert (await store.take(event)).status == IngestStatus.ACCEPTED

    async def test_settled_actions_go_and_outstanding_ones_stay(self, store: UnderTest) -> None:
        """However old."""
        await store.connect()
        await store.noticed(1)
        kept = await store.challenged(2)
        await prune(store, hours=-1)
        assert [action.challenge_id for action in await store.store.actions.search()] == [kept.id]

    async def test_old_audit_rows_go_and_challenges_stay(self, store: UnderTest) -> None:
        """The challenge itself is the record."""
        await store.connect()
        challenge = await store.challenged()
        await prune(store, hours=-1)
        assert await store.store.challenges.history(challenge.id) == []
        assert await store.store.challenges.get(challenge.id) == challenge

    async def test_old_signatures_go(self, store: UnderTest) -> None:
        """They would be refused as stale by now."""
        await store.connect()
        now = await store.store.health.now()
        old = SignatureUse(signed_at=int(now.timestamp()) - 3600, digest=b"o" * 32)
        await store.take(a_pull_request_event(), use=old)
        await prune(store, hours=1)
        assert (await store.take(a_pull_request_event(), use=old)).status == IngestStatus.ACCEPTED

    async def test_batches_are_bounded_and_end(self, store: UnderTest) -> None:
        """Called until nothing is left."""
        await store.connect()
        for number in range(1, 8):
            await store.noticed(number)
        counts = []
        while count := await prune(store, hours=-1, limit=3):
            counts.append(count)
        assert max(counts) <= 3 * 4
        assert await store.store.actions.search() == []
