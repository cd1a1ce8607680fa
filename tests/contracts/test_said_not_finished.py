"""An action that had spoken when it was given back: whoever claims it next is told of the comment."""

from __future__ import annotations

import pytest

from centralbot.domain.outbox import Outcome
from tests.builders import comment_of
from tests.contracts.driver import UnderTest


@pytest.mark.parametrize("outcome", [Outcome.RELEASED, Outcome.RETRYABLE_FAILURE])
async def test_the_next_claim_knows_the_comment(store: UnderTest, outcome: Outcome) -> None:
    """A rate limit hit between the comment and the close: a second comment would be one too many."""
    await store.connect()
    await store.opened()
    (action,) = await store.claim()
    await store.settle(action, outcome, comment_id=77, retry_after_s=0)
    (again,) = await store.claim()
    assert (again.id, comment_of(again).comment_id) == (action.id, 77)
