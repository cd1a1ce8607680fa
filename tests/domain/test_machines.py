"""The transition tables, exhaustively: every state with every event."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Any

import pytest

from centralbot.domain import challenge, installation, outbox
from centralbot.domain.challenge import ChallengeEvent, ChallengeStatus
from centralbot.domain.errors import ActionNotHeld, ChallengeNotPending, IllegalTransition
from centralbot.domain.installation import InstallationStatus, LifecycleEvent
from centralbot.domain.machine import Table, mermaid, sources, step, terminal
from centralbot.domain.outbox import ActionEvent, ActionStatus, Outcome
from tests.builders import T0, a_challenge, a_settlement, an_action, at, no_id

C, CE, A, AE = ChallengeStatus, ChallengeEvent, ActionStatus, ActionEvent
IS, IE = InstallationStatus, LifecycleEvent

LEGAL_CHALLENGE = {
    (C.PENDING, CE.VERIFY): C.VERIFIED,
    (C.PENDING, CE.EXEMPT): C.EXEMPT,
    (C.PENDING, CE.CANCEL): C.CANCELED,
    (C.PENDING, CE.TIME_OUT): C.TIMED_OUT_CLOSED,
    (C.PENDING, CE.WITHHOLD): C.EXEMPT,
    (C.TIMED_OUT_CLOSED, CE.VERIFY): C.VERIFIED,
    (C.TIMED_OUT_CLOSED, CE.WITHHOLD): C.EXEMPT,
}
LEGAL_ACTION = {
    (A.PENDING, AE.CLAIM): A.CLAIMED,
    (A.PENDING, AE.CANCEL): A.CANCELED,
    (A.PENDING, AE.FAIL): A.FAILED,
    (A.CLAIMED, AE.SUCCEED): A.DONE,
    (A.CLAIMED, AE.RETRY_LATER): A.PENDING,
    (A.CLAIMED, AE.RELEASE): A.PENDING,
    (A.CLAIMED, AE.EXPIRE): A.PENDING,
    (A.CLAIMED, AE.FAIL): A.FAILED,
    (A.CLAIMED, AE.CANCEL): A.CANCELED,
    (A.FAILED, AE.OPERATOR_RETRY): A.PENDING,
    (A.FAILED, AE.CANCEL): A.CANCELED,
}
LEGAL_INSTALLATION = {
    (state, event): to
    for state in (IS.ACTIVE, IS.SUSPENDED)
    for event, to in {
        IE.CREATE: IS.ACTIVE,
        IE.UNSUSPEND: IS.ACTIVE,
        IE.SUSPEND: IS.SUSPENDED,
        IE.DELETE: IS.DELETED,
    }.items()
}

CASES = [
    pytest.param(table, legal, state, event, id=f"{state}-{event.name}")
    for table, legal, states, events in (
        (challenge.TRANSITIONS, LEGAL_CHALLENGE, C, CE),
        (outbox.TRANSITIONS, LEGAL_ACTION, A, AE),
        (installation.TRANSITIONS, LEGAL_INSTALLATION, IS, IE),
    )
    for state in states
    for event in events
]


@pytest.mark.parametrize(("table", "legal", "state", "event"), CASES)
def test_every_state_takes_exactly_its_events(
    table: Table[Any, Any], legal: dict[tuple[StrEnum, StrEnum], StrEnum], state: StrEnum, event: StrEnum
) -> None:
    """The legal steps lead where they should; every other one is a named error."""
    if (state, event) in legal:
        assert step("machine", table, state, event) == legal[state, event]
    else:
        with pytest.raises(IllegalTransition) as caught:
            step("machine", table, state, event)
        assert (caught.value.machine, caught.value.state, caught.value.event) == ("machine", state, event)


def test_terminal_states_are_those_without_a_way_out() -> None:
    """Terminal means terminal (invariant 7)."""
    assert terminal(challenge.TRANSITIONS) == {C.VERIFIED, C.EXEMPT, C.CANCELED}
    assert terminal(outbox.TRANSITIONS) == {A.DONE, A.CANCELED}
    assert terminal(installation.TRANSITIONS) == {IS.DELETED}


def test_sources_name_what_a_guarded_update_expects() -> None:
    """From the table, not from memory."""
    assert sources(challenge.TRANSITIONS, CE.VERIFY) == (C.PENDING, C.TIMED_OUT_CLOSED)
    assert sources(outbox.TRANSITIONS, AE.CANCEL) == (A.PENDING, A.CLAIMED, A.FAILED)


def test_a_diagram_has_every_arrow() -> None:
    """Drawn from the table."""
    drawn = mermaid(outbox.TRANSITIONS, start=A.PENDING)
    assert drawn.startswith("stateDiagram-v2\n    [*] --> PENDING\n")
    assert drawn.count(" --> ") == 1 + len(LEGAL_ACTION) + 2


@pytest.mark.parametrize("status", C)
@pytest.mark.parametrize("event", CE)
def test_a_challenge_changes_by_its_table_only(status: ChallengeStatus, event: ChallengeEvent) -> None:
    """An illegal one is refused with what the challenge is."""
    before = a_challenge(status)
    if (status, event) in LEGAL_CHALLENGE:
        after = challenge.transition(before, event, reason="WHY", now=at(9))
        assert after == replace(before, status=LEGAL_CHALLENGE[status, event], reason="WHY", updated_at=at(9))
    else:
        with pytest.raises(ChallengeNotPending, match=status):
            challenge.transition(before, event, reason="WHY", now=at(9))


@pytest.mark.parametrize("status", C)
def test_only_a_pending_challenge_is_due_noticed_or_extended(status: ChallengeStatus) -> None:
    """Everything that moves a deadline asks for PENDING."""
    late = a_challenge(status, deadline_at=at(10))
    fresh = a_challenge(status)
    pending = status is C.PENDING
    assert challenge.is_due(late, now=at(10)) is pending
    assert (challenge.noticed(fresh, now=T0).deadline_at is not None) is pending
    if not pending:
        with pytest.raises(ChallengeNotPending):
            challenge.extended(late, by_s=60, now=T0)


@pytest.mark.parametrize("status", A)
@pytest.mark.parametrize("outcome", Outcome)
def test_a_result_needs_a_claim(status: ActionStatus, outcome: Outcome) -> None:
    """Invariant 5: in no other state does it count."""
    action = an_action(status, worker_id="worker-1")
    expected = {
        Outcome.SUCCEEDED: A.DONE,
        Outcome.FAILED: A.FAILED,
        Outcome.RETRYABLE_FAILURE: A.PENDING,
        Outcome.RELEASED: A.PENDING,
        Outcome.WITHHELD: A.PENDING,
    }
    result = a_settlement(action, outcome)
    if status is A.CLAIMED:
        after = outbox.settle(action, result, max_attempts=3, jitter=0.0, now=at(1))
        assert (after.status, after.claim_token, after.worker_id) == (expected[outcome], None, None)
        assert outbox.is_repeat(after, result)
    else:
        with pytest.raises(ActionNotHeld):
            outbox.settle(action, result, max_attempts=3, jitter=0.0, now=at(1))


@pytest.mark.parametrize("status", A)
def test_claims_and_expiry_follow_the_table(status: ActionStatus) -> None:
    """A claimed action may be claimed again (its caller has seen the lease run out), a settled one never."""
    action = an_action(status, attempts=1, run_at=T0)
    if status in (A.PENDING, A.CLAIMED):
        held = outbox.claim(action, worker_id="w", token=no_id(), lease_s=60, now=at(5))
        assert (held.status, held.attempts, held.run_at, held.claim_token) == (A.CLAIMED, 2, at(65), no_id())
    else:
        with pytest.raises(IllegalTransition):
            outbox.claim(action, worker_id="w", token=no_id(), lease_s=60, now=at(5))
    assert outbox.is_ready(action, now=at(5), max_attempts=3) is (status in (A.PENDING, A.CLAIMED))
    if status is A.CLAIMED:
        assert outbox.rescue(action, max_attempts=3, now=at(5)).status == A.PENDING
        assert outbox.rescue(action, max_attempts=1, now=at(5)).status == A.FAILED
    else:
        with pytest.raises(IllegalTransition):
            outbox.rescue(action, max_attempts=3, now=at(5))
