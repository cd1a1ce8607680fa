"""The design's invariants 1, 2, 6 and 7, whatever happens to a pull request, in whatever order.

No model of the outcome: after each step the invariants themselves are looked at, on the memory store, whose semantics
the contract suites hold PostgreSQL to.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from centralbot.domain.actions import ActionType
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.errors import ActionNotHeld, ChallengeNotPending
from centralbot.domain.events import Actor
from centralbot.domain.outbox import Action, ActionStatus, Outcome
from tests import oracles
from tests.builders import AUTHOR, MAINTAINER, REPO, a_pull_request_event
from tests.contracts.adapters import open_memory
from tests.contracts.driver import COMMENT, RULES, UnderTest

CLOSE, UPSERT = ActionType.CLOSE_PR_WITH_COMMENT, ActionType.UPSERT_PR_COMMENT
LABEL = "centralbot:exempt"
LET_IN = (ChallengeStatus.VERIFIED, ChallengeStatus.EXEMPT, ChallengeStatus.CANCELED)


@dataclass
class World:
    """One pull request; GitHub, workers, sweepers, its author and maintainers do as they please."""

    store: UnderTest
    seconds: int = 0
    held: list[Action] = field(default_factory=list)
    ended: dict[UUID, ChallengeStatus] = field(default_factory=dict)

    async def github(self, action: str, sender: Actor | None = None, late: int = 0) -> None:
        self.seconds += 10
        await self.store.take(a_pull_request_event(action, seconds=self.seconds - late, sender=sender))

    async def label(self, late: int = 0) -> None:
        self.seconds += 10
        event = a_pull_request_event("labeled", seconds=self.seconds - late, sender=MAINTAINER, label=LABEL)
        await self.store.take(event)

    async def claim(self) -> None:
        for action in await self.store.claim():
            self.held.append(action)
            if action.action_type is CLOSE:
                oracles.may_close(await self.store.store.challenges.search(), action)

    async def settle(self, outcome: Outcome) -> None:
        for action in self.held[-1:]:
            self.held.remove(action)
            with suppress(ActionNotHeld):
                await self.store.settle(action, outcome, comment_id=COMMENT, retry_after_s=1)

    async def wait(self, seconds: float) -> None:
        await self.store.advance(seconds)

    async def sweep(self) -> None:
        await self.store.sweep()
        await self.store.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=100)

    async def verify(self, which: int) -> None:
        known = await self.store.store.challenges.search()
        with suppress(ChallengeNotPending):
            if known:
                await self.store.verify(known[which % len(known)])

    async def whitelist(self) -> None:
        await self.store.store.whitelist.add(REPO, AUTHOR, actor="test")

    async def unlist(self) -> None:
        await self.store.store.whitelist.remove(REPO, AUTHOR.id, actor="test")

    async def look(self) -> None:
        """Invariants 1, 2 and 7."""
        challenges = await self.store.store.challenges.search()
        actions = await self.store.store.actions.search(limit=1000)
        oracles.at_most_one_is_active(challenges)
        posted = {a.challenge_id for a in actions if a.action_type is UPSERT and a.status is ActionStatus.DONE}
        assert {c.id for c in challenges if c.deadline_at is not None} <= posted
        assert not [c for c in challenges if c.status is ChallengeStatus.TIMED_OUT_CLOSED and c.deadline_at is None]
        now = {challenge.id: challenge.status for challenge in challenges}
        assert {challenge_id: now[challenge_id] for challenge_id in self.ended} == self.ended
        self.ended = {challenge_id: status for challenge_id, status in now.items() if status in LET_IN}


STEPS: list[tuple[object, ...]] = [
    ("github", "opened"),
    ("github", "synchronize"),
    ("github", "synchronize", None, 25),
    ("github", "reopened", AUTHOR),
    ("github", "reopened", MAINTAINER),
    ("github", "reopened", AUTHOR, 15),
    ("github", "closed"),
    ("github", "closed", None, 15),
    ("label",),
    ("label", 25),
    *[("claim",)] * 4,
    *[("settle", Outcome.SUCCEEDED)] * 3,
    *[("settle", outcome) for outcome in Outcome],
    *[("wait", RULES.lease_s + 1)] * 2,
    *[("wait", 1801), ("sweep",)] * 3,
    ("verify", 0),
    ("verify", 1),
    ("whitelist",),
    ("unlist",),
]


@settings(max_examples=1000, deadline=None)
@given(far=st.sampled_from(["new", "noticed", "timed out"]), steps=st.lists(st.sampled_from(STEPS), max_size=30))
def test_the_invariants_hold_whatever_happens(far: str, steps: list[tuple[str, ...]]) -> None:
    """From several beginnings, since chance alone seldom gets far."""

    async def play() -> None:
        async with open_memory() as store:
            world = World(store)
            await store.connect()
            if far == "noticed":
                await store.noticed()
            elif far == "timed out":
                await store.timed_out()
            for name, *arguments in steps:
                await getattr(world, name)(*arguments)
                await world.look()

    asyncio.run(play())
