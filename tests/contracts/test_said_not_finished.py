"""An action that had spoken when it was given back: whoever claims it next is told of the comment."""

from __future__ import annotations

import pytest

from centralbot.domain.outbox import Outcome
from tests.builders import comment_of
from tests.contracts.driver import COMMENT, UnderTest


@pytest.mark.parametrize("outcome", [Outcome.RELEASED, Outcome.RETRYABLE_FAILURE])
async def test_the_next_claim_knows_the_comment(store: UnderTest, outcome: Outcome) -> None:
    """A rate limit hit between the comment and the close: a second comment would be one too many."""
    await store.connect()
    await store.opened()
    (action,) = await store.claim()
    await store.settle(action, outcome, comment_id=77, retry_after_s=0)
    (again,) = await store.claim()
    assert (again.id, comment_of(again).comment_id) == (action.id, 77)


async def test_a_comment_that_was_made_anew_counts_before_the_challenges(store: UnderTest) -> None:
    """Somebody had deleted the one that the challenge knows."""
    await store.connect()
    await store.extend(await store.noticed())
    (action,) = await store.claim()
    assert comment_of(action).comment_id == COMMENT
    await store.settle(action, Outcome.RETRYABLE_FAILURE, comment_id=COMMENT + 1, retry_after_s=0)
    (again,) = await store.claim()
    assert (again.id, comment_of(again).comment_id) == (action.id, COMMENT + 1)


async def test_a_close_has_a_comment_of_its_own(store: UnderTest) -> None:
    """It does not rewrite the gate's."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    assert (challenge.gate_comment_id, comment_of(close).comment_id) == (COMMENT, None)
