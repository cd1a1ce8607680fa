"""How long things take by the rules that centralbot comes with: leases, retries, closes that wait for each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from functools import partial

import pytest

from centralbot.domain.actions import ActionType
from centralbot.domain.outbox import Action, ActionStatus, OutboxRules, Outcome
from tests.builders import comment_of
from tests.contracts.adapters import open_memory, open_postgres
from tests.contracts.driver import UnderTest

RETRYABLE = Outcome.RETRYABLE_FAILURE


@pytest.fixture(params=["memory", "postgres"])
async def usual(request: pytest.FixtureRequest) -> AsyncIterator[UnderTest]:
    """A store with the usual rules, of each make in turn; jitter is always in the middle."""
    rules = OutboxRules()
    if request.param == "memory":
        opened = open_memory(rules=rules)
    else:
        opened = open_postgres(request.getfixturevalue("database"), rules=rules)
    async with opened as under_test:
        yield under_test


async def seconds_until(store: UnderTest, step: Callable[[], Awaitable[object]], of: Action) -> range:
    """The whole seconds that ``of`` has to wait after ``step``, no more exact than the step was quick."""

    async def left(now: datetime) -> float:
        return ((await store.action(of.id)).run_at - now).total_seconds()

    before = await store.store.health.now()
    await step()
    after = await store.store.health.now()
    return range(round(await left(after)), round(await left(before)) + 1)


async def test_a_lease_lasts_a_minute(usual: UnderTest) -> None:
    """Unless it is given back."""
    await usual.connect()
    await usual.opened()
    (action,) = await usual.store.actions.search()
    assert 60 in await seconds_until(usual, usual.claim, action)


async def test_retries_are_further_and_further_apart(usual: UnderTest) -> None:
    """Double each time up to a quarter of an hour, three quarters of that with our jitter; the twelfth is the last."""
    await usual.connect()
    await usual.opened()
    (action,) = await usual.store.actions.search()
    expected = [2, 3, 6, 12, 24, 48, 96, 192, 384, 675, 675]
    waits = []
    for _ in expected:
        (claimed,) = await usual.claim()
        waits.append(await seconds_until(usual, partial(usual.settle, claimed, RETRYABLE), action))
        await usual.advance(901)
    assert [wait for wait, within in zip(expected, waits, strict=True) if wait not in within] == []
    (claimed,) = await usual.claim()
    assert (claimed.attempts, await usual.settle(claimed, RETRYABLE)) == (12, ActionStatus.FAILED)


@pytest.mark.parametrize(
    ("outcome", "asked", "wait"),
    [
        (RETRYABLE, 500, 500),
        (RETRYABLE, 0, 0),
        (Outcome.WITHHELD, 500, 500),
        (Outcome.WITHHELD, None, 60),
        (Outcome.RELEASED, None, 0),
    ],
)
async def test_what_comes_back_waits_as_long_as_its_worker_asks(
    usual: UnderTest, outcome: Outcome, asked: float | None, wait: int
) -> None:
    """One that was withheld a minute, where nothing is asked; one that was released not at all."""
    await usual.connect()
    await usual.opened()
    (action,) = await usual.claim()
    assert wait in await seconds_until(usual, lambda: usual.settle(action, outcome, retry_after_s=asked), action)


async def test_closes_of_one_repository_are_five_seconds_apart(usual: UnderTest) -> None:
    """Those that came due together; the first does not wait."""
    await usual.connect()
    challenges = [await usual.noticed(number) for number in range(1, 4)]
    await usual.advance(challenges[0].window_s + 1)
    await usual.sweep()
    actions = await usual.store.actions.search()
    closes = [action for action in actions if action.action_type is ActionType.CLOSE_PR_WITH_COMMENT]
    waits = sorted((close.run_at - close.created_at).total_seconds() for close in closes)
    assert waits == [0, 5, 10]


async def test_what_waits_for_its_next_try_is_superseded_at_once(usual: UnderTest) -> None:
    """Nobody is at it, though its time is yet to come."""
    await usual.connect()
    challenge = await usual.noticed()
    await usual.extend(challenge)
    (told,) = await usual.claim()
    await usual.settle(told, RETRYABLE, retry_after_s=600)
    await usual.verify(challenge)
    assert (await usual.action(told.id)).status is ActionStatus.CANCELED
    assert [comment_of(action).reason for action in await usual.claim()] == ["VERIFIED"]
