"""Whatever happens, in whatever order: nobody is closed who must not be, and in the end GitHub shows what is so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from centralbot.domain.config import Mode
from tests.builders import AUTHOR, MAINTAINER
from tests.contracts.adapters import Open, open_memory, open_postgres
from tests.contracts.driver import RULES
from tests.stateful.system_world import World

CALLS = ("get", "find_own", "create", "update", "close", "reopen")
FAULTS = [(fault, call) for fault in ("502", "limit", "refused") for call in CALLS]
STEPS: list[tuple[object, ...]] = [
    ("push",),
    *[(name, who) for name in ("close", "reopen") for who in (AUTHOR, MAINTAINER)],
    ("label",),
    ("draft_or_ready",),
    *[("deliver", which) for which in (0, 1, 2)],
    *[("deliver_all",)] * 3,
    ("redeliver", 0),
    ("redeliver", 3),
    ("suspend_or_unsuspend",),
    ("remove_or_add",),
    ("reinstall",),
    ("configure", Mode.ENFORCE, False, 60),
    ("configure", Mode.ENFORCE, True, 1800),
    ("configure", Mode.SHADOW, True, 1800),
    ("configure", Mode.OFF, True, 1800),
    ("whitelist",),
    ("unlist",),
    *[("verdict", which, what) for which in (0, 1) for what in ("verify", "verify", "exempt", "cancel", "extend")],
    ("retry_the_dead",),
    *[("claim",)] * 3,
    *[("work",)] * 6,
    *[("work", *fault) for fault in FAULTS],
    *[("work", "502", call, True) for call in ("create", "update", "close", "reopen")],
    ("work", "die"),
    ("work", "die", "", True),
    *[("wait", RULES.lease_s + 1)] * 3,
    *[("wait", 1801)] * 2,
    *[("sweep",)] * 5,
    ("prune",),
]
FAR = st.sampled_from(["opened", "noticed", "due", "timed out", "closed"])
PLAYS = st.lists(st.sampled_from(STEPS), max_size=20)


async def play(opens: list[Open], far: str, steps: list[tuple[str, ...]]) -> None:
    """The same in each store, side by side; they agree after every step."""
    async with AsyncExitStack() as stack:
        worlds = [World(await stack.enter_async_context(opened())) for opened in opens]
        for world in worlds:
            await world.begin(far)
        for name, *arguments in steps:
            for world in worlds:
                await getattr(world, name)(*arguments)
            first, *others = [await world.facts() for world in worlds]
            assert all(other == first for other in others), name
        for world in worlds:
            await world.end()


@settings(max_examples=800, deadline=None)
@given(far=FAR, steps=PLAYS)
def test_nobody_is_wronged_and_github_shows_what_is_so(far: str, steps: list[tuple[str, ...]]) -> None:
    """On the memory store, which is quick."""
    asyncio.run(play([open_memory], far, steps))


def test_both_stores_agree_at_every_step(new_database: Callable[[], str]) -> None:
    """PostgreSQL beside memory, in a database of each play's own."""

    @settings(max_examples=30, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(far=FAR, steps=PLAYS)
    def agree(far: str, steps: list[tuple[str, ...]]) -> None:
        asyncio.run(play([open_memory, lambda: open_postgres(new_database())], far, steps))

    agree()
