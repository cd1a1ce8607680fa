"""The outbox's arithmetic: backoff, attempts, whose result counts."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralbot.domain import outbox
from centralbot.domain.errors import ActionNotHeld
from centralbot.domain.outbox import BACKOFF_BASE_S, BACKOFF_CAP_S, SETTLED, ActionStatus, Outcome, backoff_s
from tests.builders import T0, a_settlement, an_action, at

JITTER = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(attempts=st.integers(1, 10_000), jitter=JITTER)
def test_backoff_stays_within_its_bounds(attempts: int, jitter: float) -> None:
    """At least a second, at most a quarter of an hour, whatever the attempt."""
    assert BACKOFF_BASE_S / 2 <= backoff_s(attempts, jitter=jitter) <= BACKOFF_CAP_S


@given(attempts=st.integers(1, 100), first=JITTER, second=JITTER)
def test_backoff_never_shrinks(attempts: int, first: float, second: float) -> None:
    """The next delay is at least this one's floor, whatever chance says, until the cap."""
    assert backoff_s(attempts + 1, jitter=first) >= min(backoff_s(attempts, jitter=second), BACKOFF_CAP_S / 2)


def test_backoff_doubles() -> None:
    """From one to two seconds up, at no jitter."""
    assert [backoff_s(n, jitter=0.0) for n in (1, 2, 3, 12)] == [1.0, 2.0, 4.0, 450.0]


@given(
    outcomes=st.lists(st.sampled_from([*Outcome, None]), max_size=30),
    max_attempts=st.integers(1, 6),
)
def test_no_action_is_claimed_more_often_than_allowed(outcomes: list[Outcome | None], max_attempts: int) -> None:
    """Releases are not counted, lost leases are; a settled action is never ready again (invariant 10)."""
    action, counted = an_action(), 0
    for step, outcome in enumerate(outcomes):
        now = at(10_000 * (step + 1))
        if not outbox.is_ready(action, now=now, max_attempts=max_attempts):
            assert action.status in SETTLED
            continue
        action = outbox.claim(action, worker_id="w", token=uuid4(), lease_s=60, now=now)
        counted += outcome not in (Outcome.RELEASED, Outcome.WITHHELD)
        if outcome is None:
            action = outbox.rescue(action, max_attempts=max_attempts, now=now)
        else:
            action = outbox.settle(
                action, a_settlement(action, outcome), max_attempts=max_attempts, jitter=0.5, now=now
            )
        assert action.attempts == counted <= max_attempts
        assert (action.settled_at is not None) is (action.status in SETTLED)
        assert action.status is not ActionStatus.FAILED or action.failure_code is not None


@given(outcome=st.sampled_from(Outcome), same_worker=st.booleans(), token=st.sampled_from(["right", "wrong", "none"]))
def test_a_result_counts_only_from_the_claim_that_holds(outcome: Outcome, same_worker: bool, token: str) -> None:
    """Invariant 5: worker and token, where one is given."""
    action = an_action(ActionStatus.CLAIMED)
    tokens = {"right": action.claim_token, "wrong": uuid4(), "none": None}
    result = a_settlement(
        action, outcome, worker_id="worker-1" if same_worker else "worker-2", claim_token=tokens[token]
    )
    if same_worker and token != "wrong":
        after = outbox.settle(action, result, max_attempts=3, jitter=0.5, now=T0)
        assert after.last_outcome is outcome
        assert outbox.is_repeat(after, result)
        assert not outbox.is_repeat(after, replace(result, worker_id="worker-2"))
        with pytest.raises(ActionNotHeld):
            outbox.settle(after, result, max_attempts=3, jitter=0.5, now=T0)
    else:
        with pytest.raises(ActionNotHeld):
            outbox.settle(action, result, max_attempts=3, jitter=0.5, now=T0)


@given(asked=st.floats(0, 10_000), jitter=JITTER)
def test_a_worker_that_names_a_delay_gets_it(asked: float, jitter: float) -> None:
    """GitHub's retry-after beats our guess."""
    action = an_action(ActionStatus.CLAIMED)
    result = a_settlement(action, Outcome.RETRYABLE_FAILURE, retry_after_s=asked)
    after = outbox.settle(action, result, max_attempts=3, jitter=jitter, now=T0)
    assert after.run_at == at(asked)


def test_an_operators_retry_starts_over() -> None:
    """Fresh attempts, due at once, the reason of the failure kept; that there were some is remembered."""
    dead = an_action(ActionStatus.FAILED, attempts=12, failure_code="LOCKED", settled_at=T0)
    again = outbox.operator_retry(dead, max_attempts=12, now=at(7))
    assert (again.status, again.attempts, again.run_at, again.settled_at) == (ActionStatus.PENDING, 1, at(7), None)
    assert again.failure_code == "LOCKED"


def test_an_operators_retry_is_not_overtaken_any_more() -> None:
    """What was overtaken and then failed comes back claimable: the operator knows better."""
    held = outbox.request_cancel(an_action(ActionStatus.CLAIMED), reason="CHALLENGE_VERIFIED")
    dead = outbox.settle(held, a_settlement(held, Outcome.FAILED), max_attempts=3, jitter=0.5, now=T0)
    assert outbox.is_ready(outbox.operator_retry(dead, max_attempts=3, now=T0), now=T0, max_attempts=3) is True


def test_an_operators_retry_is_tried_where_one_attempt_is_all() -> None:
    """Or it would be dead again at once."""
    dead = an_action(ActionStatus.FAILED, attempts=1)
    assert outbox.is_ready(outbox.operator_retry(dead, max_attempts=1, now=T0), now=T0, max_attempts=1) is True
