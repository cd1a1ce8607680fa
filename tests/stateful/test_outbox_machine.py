"""The outbox as a state machine: one model, and every adapter has to agree with it at every step.

The model is a list of what is queued for each pull request. Hypothesis drives deliveries, claims of several workers,
results of every kind, expiry, operators and installations; after each step the store's own list must equal the model's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from centralbot.domain.errors import ActionNotHeld, ChallengeNotPending, IllegalTransition
from centralbot.domain.outbox import SETTLED, Action, ActionStatus, Outcome
from tests.builders import REPO, a_pull_request_event, an_installation_event
from tests.contracts.adapters import open_memory, open_postgres
from tests.contracts.driver import COMMENT, RULES, UnderTest

A = ActionStatus
WORKERS = st.sampled_from(["worker-1", "worker-2"])
NUMBERS = st.integers(1, 5)
HOUR_S = 3600


@dataclass
class Known:
    """What the model knows of one action. ``place`` is its place in its pull request's line."""

    number: int
    place: int
    challenge_id: UUID | None
    status: ActionStatus = A.PENDING
    attempts: int = 0
    token: UUID | None = None
    due: bool = True
    live: bool = False
    overtaken: bool = False
    last: tuple[UUID | None, Outcome] | None = None


class OutboxMachine(RuleBasedStateMachine):
    """Rules take no fixtures, so each adapter's subclass brings its ``open``."""

    open: ClassVar[Callable[[], AbstractAsyncContextManager[UnderTest]]]
    claims: Bundle[Action] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.opened = type(self).open()
        self.store: UnderTest = self.run(self.opened.__aenter__())
        self.run(self.store.connect())
        self.model: dict[UUID, Known] = {}
        self.seconds = 0
        self.places = 0
        self.active = True
        self.paused = False
        self.taken: list[Action] = []

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.opened.__aexit__(None, None, None))
        self.runner.close()

    def claimable(self) -> set[UUID]:
        """By the port's words: due or lost, attempts left, head of its line, installation active and not paused."""
        if not self.active or self.paused:
            return set()
        heads: dict[int, tuple[int, UUID]] = {}
        for action_id, known in self.model.items():
            if known.status not in SETTLED:
                head = (known.place, action_id)
                heads[known.number] = min(heads.get(known.number, head), head)
        return {
            action_id
            for _, action_id in heads.values()
            if (known := self.model[action_id]).attempts < RULES.max_attempts
            and known.due
            and not known.live
            and not known.overtaken
        }

    @initialize(numbers=st.sets(NUMBERS, min_size=2))
    def begin(self, numbers: set[int]) -> None:
        """Some work is there from the start."""
        for number in sorted(numbers):
            self.enqueue(number)

    @rule(number=NUMBERS)
    def enqueue(self, number: int) -> None:
        """A delivery: the comment of a new challenge, or (when the pull request closes) the end of what is queued."""
        self.seconds += 10
        outcome = self.run(self.store.opened(number, seconds=self.seconds))
        if outcome.enqueued_actions:
            known_ids = set(self.model)
            (new,) = [a for a in self.run(self.store.store.actions.search(limit=1000)) if a.id not in known_ids]
            self.model[new.id] = Known(number=number, place=self.next_place(), challenge_id=outcome.challenge_id)

    @rule(number=NUMBERS)
    def close(self, number: int) -> None:
        """What is queued is canceled with its challenge; what a worker holds, when it comes back."""
        self.seconds += 10
        event = a_pull_request_event("closed", number=number, seconds=self.seconds)
        outcome = self.run(self.store.take(event))
        if outcome.status == "ACCEPTED":
            for known in self.model.values():
                if known.challenge_id != outcome.challenge_id:
                    continue
                if known.status not in SETTLED and not known.overtaken:
                    if known.live:
                        known.overtaken = True
                    else:
                        known.status, known.token, known.last = A.CANCELED, None, None

    @rule(target=claims, worker=WORKERS)
    def claim(self, worker: str) -> Any:
        """Exactly what is claimable, each once."""
        expected = self.claimable()
        claimed = self.run(self.store.claim(worker))
        assert {action.id for action in claimed} == expected
        assert len(claimed) == len(expected)
        for action in claimed:
            known = self.model[action.id]
            known.status, known.attempts, known.token, known.live = (
                A.CLAIMED,
                known.attempts + 1,
                action.claim_token,
                True,
            )
            assert action.attempts == known.attempts
        self.taken += claimed
        return multiple(*claimed)

    @rule(outcomes=st.lists(st.sampled_from(Outcome), min_size=1, max_size=5), pause=st.booleans())
    @precondition(lambda self: self.held())
    def settle(self, outcomes: list[Outcome], pause: bool) -> None:
        """From the claims that hold: they count, and the same again gets the same answer."""
        for action, outcome in zip(self.held(), outcomes, strict=False):
            self.settle_one(action, outcome, pause=pause)

    def settle_one(self, action: Action, outcome: Outcome, *, pause: bool) -> None:
        known = self.model[action.id]
        fields: dict[str, Any] = {"comment_id": COMMENT} if outcome is Outcome.SUCCEEDED else {}
        if pause:
            fields["pause_installation_s"] = 600
        status = self.run(self.store.settle(action, outcome, **fields))
        self.settled(known, outcome)
        self.paused |= "pause_installation_s" in fields
        assert status == known.status
        assert self.run(self.store.settle(action, outcome, **fields)) == status

    @rule(action=claims, outcome=st.sampled_from(Outcome))
    def settle_from_any_claim(self, action: Action, outcome: Outcome) -> None:
        """Said before: the same answer. From a claim that no longer holds: refused."""
        known = self.model[action.id]
        if known.token == action.claim_token:
            return
        if known.token is None and known.last == (action.claim_token, outcome):
            assert self.run(self.store.settle(action, outcome)) == known.status
        else:
            with pytest.raises(ActionNotHeld):
                self.run(self.store.settle(action, outcome))

    def held(self) -> list[Action]:
        """The newest claim of each action, where it still holds."""
        return [action for action in self.taken if self.model[action.id].token == action.claim_token]

    def settled(self, known: Known, outcome: Outcome) -> None:
        known.last, known.token, known.live, known.due = (known.token, outcome), None, False, True
        if outcome is Outcome.SUCCEEDED:
            known.status = A.DONE
        elif known.overtaken and outcome is not Outcome.FAILED:
            known.status, known.due = A.CANCELED, True
        elif outcome in (Outcome.RELEASED, Outcome.WITHHELD):
            known.status, known.attempts = A.PENDING, known.attempts - 1
            known.due = outcome is Outcome.RELEASED
        elif outcome is Outcome.FAILED or known.attempts >= RULES.max_attempts:
            known.status = A.FAILED
        else:
            known.status, known.due = A.PENDING, False

    @rule(action=claims, worker=WORKERS)
    def settle_as_somebody_else(self, action: Action, worker: str) -> None:
        """Never counts, whatever token is shown."""
        if worker != action.worker_id:
            with pytest.raises(ActionNotHeld):
                self.run(self.store.settle(action, worker_id=worker))

    @rule()
    def an_hour_passes(self) -> None:
        """Leases run out, delays and pauses end; nothing is lost by that."""
        self.run(self.store.advance(HOUR_S))
        self.paused = False
        for known in self.model.values():
            known.live, known.due = False, True

    @rule()
    def rescue_expired(self) -> None:
        """Lost claims come back, or are dead; their tokens no longer hold."""
        lost = [known for known in self.model.values() if known.status is A.CLAIMED and not known.live]
        dead = [known for known in lost if known.attempts >= RULES.max_attempts and not known.overtaken]
        counts = self.run(self.store.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=100))
        assert counts == (len(lost) - len(dead), len(dead))
        for known in lost:
            known.status = A.CANCELED if known.overtaken else A.FAILED if known in dead else A.PENDING
            known.token, known.last = None, known.last if known.status is A.PENDING else None

    @rule(which=st.integers(0, 9))
    @precondition(lambda self: self.model)
    def operator_retries(self, which: int) -> None:
        """A dead one comes back at the end of its line with fresh attempts, unless something newer counts."""
        action_id, known = list(self.model.items())[which % len(self.model)]
        retry = self.store.store.actions.retry(action_id, context=self.store.context, actor="ops")
        if known.status is not A.FAILED:
            with pytest.raises(IllegalTransition):
                self.run(retry)
            return
        try:
            challenge_id = self.run(retry).challenge_id
        except ChallengeNotPending:
            return
        self.model[action_id] = Known(number=known.number, place=self.next_place(), challenge_id=challenge_id)

    @rule(which=st.integers(0, 9))
    @precondition(lambda self: self.model)
    def operator_cancels(self, which: int) -> None:
        """Whatever is not done, canceled or under way."""
        action_id, known = list(self.model.items())[which % len(self.model)]
        cancel = self.store.store.actions.cancel(action_id, context=self.store.context, actor="ops")
        if known.status in (A.DONE, A.CANCELED) or known.live:
            with pytest.raises(IllegalTransition):
                self.run(cancel)
            return
        self.run(cancel)
        known.status, known.token, known.last = A.CANCELED, None, None

    @rule(sure=st.integers(0, 2))
    def suspend_or_unsuspend(self, sure: int) -> None:
        """A suspended installation's actions wait; most of the time it is not."""
        if self.active and sure:
            return
        self.seconds += 10
        event = an_installation_event("suspend" if self.active else "unsuspend", REPO, seconds=self.seconds)
        self.run(self.store.install(event))
        self.active = not self.active
        self.paused &= not self.active  # an unsuspended installation goes on at once

    def next_place(self) -> int:
        self.places += 1
        return self.places

    @invariant()
    def the_store_agrees(self) -> None:
        """Status and attempts of every action."""
        stored = self.run(self.store.store.actions.search(limit=1000))
        assert {a.id: (a.status, a.attempts) for a in stored} == {
            action_id: (known.status, known.attempts) for action_id, known in self.model.items()
        }

    @invariant()
    def one_pull_request_one_claim(self) -> None:
        """Invariant 6."""
        live = [known.number for known in self.model.values() if known.live]
        assert len(live) == len(set(live))


COMMON = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


def test_memory_agrees_with_the_model() -> None:
    """Dictionaries."""

    class Machine(OutboxMachine):
        open = staticmethod(open_memory)

    run_state_machine_as_test(Machine, settings=settings(COMMON, max_examples=150, stateful_step_count=40))


def test_postgres_agrees_with_the_model(new_database: Callable[[], str]) -> None:
    """SQL, in a database of each run's own."""

    class Machine(OutboxMachine):
        open = staticmethod(lambda: open_postgres(new_database()))

    run_state_machine_as_test(
        Machine, settings=settings(COMMON, max_examples=30, stateful_step_count=30, phases=[Phase.generate])
    )
