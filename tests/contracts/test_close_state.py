"""Port ``Challenges``: what a verdict is told of a close with an unusual end, and of where its repository is."""

from __future__ import annotations

from datetime import timedelta

from centralbot.domain.actions import ActionType
from centralbot.domain.outbox import Outcome
from centralbot.domain.verdicts import CloseState
from centralbot.ports.challenges import Retention
from tests.builders import INSTALLATION, REPO, an_installation_event
from tests.contracts.driver import RULES, UnderTest

REOPEN = ActionType.REOPEN_PR_WITH_COMMENT


async def pruned(store: UnderTest) -> None:
    """Whatever is settled is gone."""
    before = await store.store.health.now() + timedelta(hours=1)
    retention = Retention(deliveries_before=before, actions_before=before, audit_before=before)
    while await store.store.upkeep.prune(retention, limit=100):
        pass
    assert await store.store.actions.search() == []


async def test_a_close_is_remembered_after_its_action_was_pruned(store: UnderTest) -> None:
    """An author may pass a year later: then it is reopened."""
    await store.connect()
    challenge = await store.timed_out()
    await store.run_all()
    await pruned(store)
    assert (await store.store.challenges.facts(challenge.id)).close is CloseState.CLOSED
    await store.verify(challenge)
    assert REOPEN in [action.action_type for action in await store.run_all()]


async def test_a_close_that_closed_nothing_leaves_nothing_behind(store: UnderTest) -> None:
    """Refused, and pruned: nobody is reopened."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.settle(close, Outcome.FAILED, failure_code="LOCKED")
    await pruned(store)
    assert (await store.store.challenges.facts(challenge.id)).close is CloseState.NONE
    await store.verify(challenge)
    assert REOPEN not in [action.action_type for action in await store.run_all()]


async def test_a_close_that_an_operator_canceled_after_an_attempt_is_none(store: UnderTest) -> None:
    """Whoever cancels it has looked."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.settle(close, Outcome.RETRYABLE_FAILURE, retry_after_s=0)
    assert (await store.store.challenges.facts(challenge.id)).close is CloseState.UNKNOWN
    await store.store.actions.cancel(close.id, context=store.context, actor="cli:ada")
    assert (await store.store.challenges.facts(challenge.id)).close is CloseState.NONE


async def test_a_close_whose_every_lease_was_lost_may_have_happened(store: UnderTest) -> None:
    """It is dead, but no worker has said that GitHub refused."""
    await store.connect()
    challenge = await store.timed_out()
    for _ in range(RULES.max_attempts):
        await store.claim()
        await store.advance(RULES.lease_s + 1)
    assert await store.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=10) == (0, 1)
    assert (await store.store.challenges.facts(challenge.id)).close is CloseState.UNKNOWN


async def test_a_verdict_goes_where_the_repository_is_by_now(store: UnderTest) -> None:
    """Its new installation; where it is in none any more, the one that it was in."""
    await store.connect()
    challenge = await store.noticed()
    now = (await store.store.health.now()).timestamp()
    seconds = now - challenge.created_at.timestamp()
    await store.install(an_installation_event("created", REPO, installation_id=INSTALLATION + 1, seconds=seconds + 60))
    moved = (await store.store.challenges.facts(challenge.id)).challenge
    await store.install(
        an_installation_event("removed", removed=(REPO,), installation_id=INSTALLATION + 1, seconds=seconds + 120)
    )
    gone = (await store.store.challenges.facts(challenge.id)).challenge
    assert (moved.installation_id, gone.installation_id) == (INSTALLATION + 1, INSTALLATION)
    assert (moved.repo_full_name, gone.repo_full_name) == (challenge.repo_full_name, challenge.repo_full_name)
