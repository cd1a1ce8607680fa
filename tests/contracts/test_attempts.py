"""How often an action is tried: the limit may be lower today than it was when the action was tried."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from centralbot.domain.challenge import CancelReason, ChallengeStatus
from centralbot.domain.outbox import ActionStatus, OutboxRules, Outcome
from tests.contracts.adapters import open_memory, open_postgres
from tests.contracts.driver import UnderTest

RETRYABLE = Outcome.RETRYABLE_FAILURE


@pytest.fixture(params=["memory", "postgres"])
async def impatient(request: pytest.FixtureRequest) -> AsyncIterator[UnderTest]:
    """A store that allows one try, of each make in turn."""
    rules = OutboxRules(max_attempts=1)
    if request.param == "memory":
        opened = open_memory(rules=rules)
    else:
        opened = open_postgres(request.getfixturevalue("database"), rules=rules)
    async with opened as under_test:
        yield under_test


@pytest.mark.parametrize(("code", "kept"), [("SERVER_ERROR", "SERVER_ERROR"), (None, "ATTEMPTS_USED_UP")])
async def test_what_waits_beyond_a_new_limit_is_dead(store: UnderTest, code: str | None, kept: str) -> None:
    """Nobody would ever claim it, nor what is queued behind it; its challenge goes with it, as nobody was told."""
    await store.connect()
    challenge = await store.challenged()
    (action,) = await store.claim()
    await store.settle(action, RETRYABLE, failure_code=code, retry_after_s=600)
    assert await store.store.upkeep.rescue_expired(max_attempts=2, limit=10) == (0, 0)
    assert await store.store.upkeep.rescue_expired(max_attempts=1, limit=10) == (0, 1)
    dead = await store.action(action.id)
    assert (dead.status, dead.attempts, dead.failure_code) == (ActionStatus.FAILED, 1, kept)
    after = await store.store.challenges.get(challenge.id)
    assert (after.status, after.reason) == (ChallengeStatus.CANCELED, CancelReason.NOTICE_FAILED)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.SUCCEEDED, ActionStatus.DONE),
        (Outcome.RELEASED, ActionStatus.PENDING),
        (Outcome.WITHHELD, ActionStatus.PENDING),
        (RETRYABLE, ActionStatus.FAILED),
    ],
)
async def test_the_last_try_counts_like_any_other(impatient: UnderTest, outcome: Outcome, status: ActionStatus) -> None:
    """Only another try is not to be had."""
    await impatient.connect()
    await impatient.opened()
    (action,) = await impatient.claim()
    assert await impatient.settle(action, outcome) == status


async def test_where_one_try_is_allowed_an_operator_gives_one(impatient: UnderTest) -> None:
    """And no attempt stays counted, or it could never be claimed."""
    await impatient.connect()
    await impatient.timed_out()
    (close,) = await impatient.claim()
    assert await impatient.settle(close, RETRYABLE) == ActionStatus.FAILED
    retried = await impatient.store.actions.retry(close.id, context=impatient.context, actor="ops")
    assert (retried.status, retried.attempts) == (ActionStatus.PENDING, 0)
    assert [action.id for action in await impatient.claim()] == [close.id]
