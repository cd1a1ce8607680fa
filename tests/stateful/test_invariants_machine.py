"""The design's invariants 1, 2, 6 and 7, whatever happens to a few pull requests, in whatever order.

No model of the outcome: after each step the invariants themselves are looked at, on the memory store.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.errors import ChallengeNotPending
from centralbot.domain.outbox import ActionStatus, ActionType, Outcome
from tests.builders import AUTHOR, MAINTAINER, REPO, a_pull_request_event, an_installation_event
from tests.contracts.adapters import open_memory
from tests.contracts.driver import COMMENT, RULES, UnderTest

CLOSE, UPSERT = ActionType.CLOSE_PR_WITH_COMMENT, ActionType.UPSERT_PR_COMMENT
NUMBERS = st.integers(1, 2)
ACTIONS = st.sampled_from(["opened", "reopened", "synchronize", "ready_for_review", "converted_to_draft", "closed"])
LET_IN = (ChallengeStatus.VERIFIED, ChallengeStatus.EXEMPT, ChallengeStatus.CANCELED)


class InvariantsMachine(RuleBasedStateMachine):
    """Two pull requests of one author; GitHub, workers, sweepers, authors and maintainers do as they please."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.opened = open_memory()
        self.store: UnderTest = self.run(self.opened.__aenter__())
        self.ended: dict[UUID, ChallengeStatus] = {}
        self.seconds = 0

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.opened.__aexit__(None, None, None))
        self.runner.close()

    def challenges(self) -> Any:
        return self.run(self.store.store.challenges.search(limit=1000))

    @initialize()
    def begin(self) -> None:
        self.run(self.store.connect())

    @rule(number=NUMBERS, action=ACTIONS, late=st.integers(0, 30), sender=st.sampled_from([AUTHOR, MAINTAINER, None]))
    def github_says(self, number: int, action: str, late: int, sender: Any) -> None:
        """Now, or late."""
        self.seconds += 10
        event = a_pull_request_event(action, number=number, seconds=self.seconds - late, sender=sender)
        self.run(self.store.take(event))

    @rule(outcomes=st.lists(st.sampled_from([*Outcome, Outcome.SUCCEEDED, None]), min_size=2, max_size=2))
    def workers_work(self, outcomes: list[Outcome | None]) -> None:
        """Each claim ends somehow, or is lost."""
        claimed = self.run(self.store.claim())
        for action in claimed:
            self.is_wanted(action)
        for action, outcome in zip(claimed, outcomes, strict=False):
            if outcome is not None:
                self.run(self.store.settle(action, outcome, comment_id=COMMENT, retry_after_s=1))

    def is_wanted(self, action: Any) -> None:
        """Invariant 7: nothing is closed whose challenge did not time out, or whose pull request was let in since."""
        if action.action_type is CLOSE:
            challenge = self.run(self.store.store.challenges.get(action.challenge_id))
            assert challenge.status is ChallengeStatus.TIMED_OUT_CLOSED
            assert not [c for c in self.challenges() if c.pr_number == challenge.pr_number and c.is_active]

    @rule(seconds=st.sampled_from([RULES.lease_s + 1, 600, 1801]))
    def time_passes(self, seconds: float) -> None:
        self.run(self.store.advance(seconds))

    @rule()
    def the_sweeper_comes(self) -> None:
        self.run(self.store.sweep())
        self.run(self.store.store.upkeep.return_expired(max_attempts=RULES.max_attempts, limit=100))
        self.run(self.store.store.upkeep.cancel_strays(limit=100))

    @rule(which=st.integers(0, 5))
    def an_author_verifies(self, which: int) -> None:
        if known := self.challenges():
            with suppress(ChallengeNotPending):
                self.run(self.store.verify(known[which % len(known)]))

    @rule(which=st.integers(0, 5))
    def a_maintainer_extends(self, which: int) -> None:
        if known := self.challenges():
            with suppress(ChallengeNotPending):
                self.run(self.store.extend(known[which % len(known)]))

    @rule(on=st.booleans())
    def the_whitelist_changes(self, on: bool) -> None:
        whitelist = self.store.store.whitelist
        self.run(whitelist.add(REPO, AUTHOR, actor="t") if on else whitelist.remove(REPO, AUTHOR.id, actor="t"))

    @rule(action=st.sampled_from(["suspend", "unsuspend", "added", "removed"]))
    def the_installation_changes(self, action: str) -> None:
        self.seconds += 10
        named = {"added": {"added": (REPO,)}, "removed": {"removed": (REPO,)}}.get(action, {})
        self.run(self.store.install(an_installation_event(action, seconds=self.seconds, **named)))

    @invariant()
    def at_most_one_challenge_counts(self) -> None:
        """Invariant 2."""
        active = [challenge.pr_number for challenge in self.challenges() if challenge.is_active]
        assert len(active) == len(set(active))

    @invariant()
    def no_clock_runs_without_its_notice(self) -> None:
        """Invariant 1: a deadline means that a comment of this challenge was posted."""
        actions = self.run(self.store.store.actions.search(limit=1000))
        posted = {a.challenge_id for a in actions if a.action_type is UPSERT and a.status is ActionStatus.DONE}
        for challenge in self.challenges():
            assert challenge.deadline_at is None or challenge.id in posted
            assert challenge.status is not ChallengeStatus.TIMED_OUT_CLOSED or challenge.deadline_at is not None

    @invariant()
    def terminal_means_terminal(self) -> None:
        """Invariant 7."""
        now = {challenge.id: challenge.status for challenge in self.challenges()}
        assert {i: now[i] for i in self.ended} == self.ended
        self.ended = {i: status for i, status in now.items() if status in LET_IN}


def test_the_invariants_hold_whatever_happens() -> None:
    """On the memory store, whose semantics the contract suites hold PostgreSQL to."""
    how = settings(
        max_examples=150,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(InvariantsMachine, settings=how)
