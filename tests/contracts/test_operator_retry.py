"""An operator brings back what failed for good, as long as it is still true."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from centralbot.domain import verdicts
from centralbot.domain.actions import ActionReason
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.effects import Effects
from centralbot.domain.errors import ChallengeNotPending
from centralbot.domain.outbox import Action, ActionStatus, Outcome
from tests.builders import a_pull_request_event, comment_of
from tests.contracts.driver import UnderTest

Verdict = Callable[..., Effects]
OPERATOR = "ops"


async def fail_all(store: UnderTest) -> list[Action]:
    """Everything that is queued fails for good, in its order."""
    failed: list[Action] = []
    while batch := await store.claim():
        for action in batch:
            await store.settle(action, Outcome.FAILED)
            failed.append(action)
    return failed


async def brought_back(store: UnderTest, action: Action) -> ActionStatus:
    return (await store.store.actions.retry(action.id, context=store.context, actor=OPERATOR)).status


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (verdicts.on_verified, ActionReason.VERIFIED),
        (verdicts.on_exempted, ActionReason.EXEMPT),
        (verdicts.on_canceled, ActionReason.CANCELED),
    ],
)
async def test_a_verdict_can_be_said_again(store: UnderTest, verdict: Verdict, reason: ActionReason) -> None:
    """The challenge is what the comment says it is."""
    await store.connect()
    challenge = await store.noticed()
    await store.store.challenges.decide(challenge.id, lambda facts: verdict(store.context, facts, actor=OPERATOR))
    (comment,) = await fail_all(store)
    assert await brought_back(store, comment) is ActionStatus.PENDING
    assert [(again.id, comment_of(again).reason) for again in await store.claim()] == [(comment.id, reason)]


async def test_that_it_was_called_off_can_be_said_again_beside_a_newer_challenge(store: UnderTest) -> None:
    """It is said where the old one was asked for, and is still true."""
    await store.connect()
    challenge = await store.noticed()
    await store.store.challenges.decide(
        challenge.id, lambda facts: verdicts.on_canceled(store.context, facts, actor=OPERATOR)
    )
    (comment,) = await fail_all(store)
    assert (await store.opened(seconds=5000)).challenge_id != challenge.id
    assert await brought_back(store, comment) is ActionStatus.PENDING


async def test_more_time_can_be_said_again(store: UnderTest) -> None:
    """While it still is that time."""
    await store.connect()
    await store.extend(await store.noticed())
    (comment,) = await fail_all(store)
    assert comment_of(comment).reason == ActionReason.DEADLINE_EXTENDED
    assert await brought_back(store, comment) is ActionStatus.PENDING


async def test_a_reopening_can_be_tried_again(store: UnderTest) -> None:
    """The author has passed, late, and still has."""
    await store.connect()
    challenge = await store.timed_out()
    await store.run_all()
    await store.verify(challenge)
    failed = await fail_all(store)
    assert [comment_of(action).reason for action in failed] == [ActionReason.VERIFIED_LATE, ActionReason.VERIFIED]
    assert [await brought_back(store, action) for action in failed] == [ActionStatus.PENDING] * 2


async def test_a_request_is_not_made_again_of_one_who_passed(store: UnderTest) -> None:
    """The author was quicker than the comment, which then failed; the challenge stays verified."""
    await store.connect()
    challenge = await store.challenged()
    (notice,) = await store.claim()
    await store.verify(challenge)
    await store.settle(notice, Outcome.FAILED)
    with pytest.raises(ChallengeNotPending, match="overtaken by VERIFIED"):
        await brought_back(store, notice)
    assert (await store.store.challenges.get(challenge.id)).status is ChallengeStatus.VERIFIED


async def test_an_old_close_does_not_hit_a_newer_challenge(store: UnderTest) -> None:
    """Invariant 7: the author reopened, and has a new one to pass."""
    await store.connect()
    await store.timed_out()
    (close,) = await fail_all(store)
    await store.take(a_pull_request_event("reopened", seconds=5000))
    with pytest.raises(ChallengeNotPending, match="overtaken by a newer challenge"):
        await brought_back(store, close)
