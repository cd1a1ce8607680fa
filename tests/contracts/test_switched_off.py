"""A repository that is switched off: the gate hears nothing more of it, so it closes nothing more."""

from __future__ import annotations

from centralbot.domain.actions import ActionReason, ActionType
from centralbot.domain.challenge import CancelReason, ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.outbox import ActionStatus
from tests.builders import REPO, WINDOW_S, a_config, comment_of
from tests.contracts.driver import UnderTest

CLOSE, UPSERT = ActionType.CLOSE_PR_WITH_COMMENT, ActionType.UPSERT_PR_COMMENT


async def switch(store: UnderTest, mode: Mode) -> None:
    await store.store.repositories.configure(REPO, a_config(mode), actor="github:3003")


async def test_nobody_is_closed_once_it_is_off(store: UnderTest) -> None:
    """While it is off nobody hears of a maintainer's reopen or label either: the check is called off, and says so."""
    await store.connect()
    challenge = await store.noticed()
    await switch(store, Mode.OFF)
    await store.advance(WINDOW_S + 1)
    assert await store.sweep() == (0, 1)
    after = await store.store.challenges.get(challenge.id)
    assert (after.status, after.reason) == (ChallengeStatus.CANCELED, CancelReason.SWITCHED_OFF)
    (said,) = await store.run_all()
    assert (said.action_type, comment_of(said).reason, comment_of(said).marker) == (
        UPSERT,
        ActionReason.CANCELED,
        f"centralbot:gate:{challenge.id}",
    )
    assert "Nothing to do" in comment_of(said).markdown


async def test_a_close_that_waits_is_canceled_once_it_is_off(store: UnderTest) -> None:
    """Many at once are spaced out: whoever switches it off means those that are still to come."""
    await store.connect()
    await store.timed_out(1)
    await store.challenged(2)
    await switch(store, Mode.OFF)
    assert await store.store.upkeep.cancel_orphaned(limit=10) == 1
    canceled = await store.store.actions.search(status=ActionStatus.CANCELED)
    assert [(action.action_type, action.failure_code) for action in canceled] == [(CLOSE, CancelReason.SWITCHED_OFF)]
    assert [action.action_type for action in await store.run_all()] == [UPSERT]


async def test_other_changes_reach_new_challenges_only(store: UnderTest) -> None:
    """In shadow mode the gate still hears everything: what began under another configuration ends under it."""
    await store.connect()
    await store.noticed()
    await switch(store, Mode.SHADOW)
    await store.advance(WINDOW_S + 1)
    assert await store.sweep() == (1, 0)
    assert await store.store.upkeep.cancel_orphaned(limit=10) == 0
    assert [action.action_type for action in await store.run_all()] == [CLOSE]


async def test_a_shadow_challenge_still_ends(store: UnderTest) -> None:
    """Nothing is done about it on GitHub, and its report is to be whole."""
    await store.connect(config=a_config(Mode.SHADOW))
    await store.opened()
    await switch(store, Mode.OFF)
    await store.advance(WINDOW_S + 1)
    assert await store.sweep() == (1, 0)
