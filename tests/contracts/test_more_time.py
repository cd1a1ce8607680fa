"""A maintainer gives more time: from the deadline on, or from now where that has passed already."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from centralbot.domain import verdicts
from centralbot.domain.actions import ActionReason
from centralbot.domain.effects import Effects
from centralbot.domain.errors import ChallengeNotPending
from tests.builders import comment_of
from tests.contracts.driver import UnderTest


async def test_before_the_comment_is_posted_the_clock_gets_more(store: UnderTest) -> None:
    """It has not started, so there is no deadline to be moved; it starts with all of the time."""
    await store.connect()
    challenge = await store.challenged()
    unposted = await store.extend(challenge, by_s=900)
    assert (unposted.window_s, unposted.deadline_at) == (challenge.window_s + 900, None)
    await store.run_all()
    posted = await store.store.challenges.get(challenge.id)
    assert posted.deadline_at == posted.updated_at + timedelta(seconds=challenge.window_s + 900)


async def test_after_the_deadline_it_counts_from_now(store: UnderTest) -> None:
    """No sweeper has come by yet: what is given is time from now on, not from then."""
    await store.connect()
    challenge = await store.noticed()
    await store.advance(challenge.window_s + 100)
    after = await store.extend(challenge, by_s=60)
    assert after.deadline_at == after.updated_at + timedelta(seconds=60)
    assert await store.sweep() == (0, 0)
    await store.advance(61)
    assert await store.sweep() == (1, 0)


@pytest.mark.parametrize("verdict", [verdicts.on_verified, verdicts.on_exempted, verdicts.on_canceled])
async def test_what_is_decided_gets_no_more(store: UnderTest, verdict: Callable[..., Effects]) -> None:
    """And stays as it was."""
    await store.connect()
    challenge = await store.noticed()
    decided = await store.store.challenges.decide(
        challenge.id, lambda facts: verdict(store.context, facts, actor="github:3003")
    )
    with pytest.raises(ChallengeNotPending):
        await store.extend(challenge)
    assert await store.store.challenges.get(challenge.id) == decided


async def test_that_there_was_more_time_is_still_said_when_it_is_up(store: UnderTest) -> None:
    """Before the close, which does not take its place."""
    await store.connect()
    challenge = await store.extend(await store.noticed())
    await store.advance(challenge.window_s + 1)
    assert await store.sweep() == (1, 0)
    said = [comment_of(action).reason for action in await store.run_all()]
    assert said == [ActionReason.DEADLINE_EXTENDED, ActionReason.CHALLENGE_TIMED_OUT]
