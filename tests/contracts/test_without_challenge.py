"""An action that belongs to no challenge goes the same ways; there is nothing else for them to change."""

from __future__ import annotations

import pytest

from centralbot.domain.effects import Effects
from centralbot.domain.outbox import Action, ActionStatus, Outcome
from tests.builders import INSTALLATION, a_comment, a_new_action
from tests.contracts.driver import COMMENT, RULES, UnderTest

ELSEWHERE = 7_654_321


async def queue(store: UnderTest, *, repo_id: int | None = None) -> Action:
    """One comment without a challenge, beside a pending challenge of another pull request."""
    await store.connect()
    other = await store.noticed(1)
    new = a_new_action(2, payload=a_comment(marker="centralbot:note"))
    if repo_id is not None:
        new = a_new_action(2, payload=new.payload, repo_id=repo_id, repo_full_name="org/elsewhere")
    await store.store.challenges.decide(other.id, lambda facts: Effects(actions=(new,)))
    return await store.action(new.id)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.SUCCEEDED, ActionStatus.DONE),
        (Outcome.FAILED, ActionStatus.FAILED),
        (Outcome.WITHHELD, ActionStatus.PENDING),
    ],
)
async def test_it_is_claimed_and_settled(store: UnderTest, outcome: Outcome, status: ActionStatus) -> None:
    """By whoever claims any."""
    queued = await queue(store)
    (claimed,) = await store.claim()
    assert (claimed.id, claimed.challenge_id) == (queued.id, None)
    assert await store.settle(claimed, outcome, comment_id=COMMENT) == status


async def test_it_is_rescued(store: UnderTest) -> None:
    """Its worker was lost."""
    queued = await queue(store)
    await store.claim()
    await store.advance(RULES.lease_s + 1)
    assert await store.store.upkeep.rescue_expired(max_attempts=1, limit=10) == (0, 1)
    assert (await store.action(queued.id)).status is ActionStatus.FAILED


async def test_it_is_canceled_with_its_repository(store: UnderTest) -> None:
    """An operator moved that."""
    queued = await queue(store)
    await store.store.repositories.connect(queued.repo_id, installation_id=INSTALLATION + 1, full_name="org/repo")
    assert await store.store.upkeep.cancel_orphaned(limit=10) == 1
    assert (await store.action(queued.id)).status is ActionStatus.CANCELED


async def test_an_operator_cancels_it_or_brings_it_back(store: UnderTest) -> None:
    """The history of no challenge tells of it."""
    queued = await queue(store)
    (claimed,) = await store.claim()
    await store.settle(claimed, Outcome.FAILED)
    retried = await store.store.actions.retry(queued.id, context=store.context, actor="ops")
    canceled = await store.store.actions.cancel(queued.id, context=store.context, actor="ops")
    assert (retried.status, canceled.status) == (ActionStatus.PENDING, ActionStatus.CANCELED)


async def test_in_a_repository_that_nobody_told_of_it_keeps_the_name_it_came_with(store: UnderTest) -> None:
    """There is no newer one."""
    await queue(store, repo_id=ELSEWHERE)
    (claimed,) = await store.claim()
    assert (claimed.repo_id, claimed.repo_full_name) == (ELSEWHERE, "org/elsewhere")
