"""Forwards normalized events to the backend within the time that GitHub gives a webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from centralbot.domain.dedup import InstallationOutcome, PullRequestOutcome
from centralbot.domain.errors import Unavailable
from centralbot.domain.events import IngestStatus, InstallationEvent, PullRequestEvent
from centralbot.ports.driven.backend import EventSink
from centralbot.ports.driven.clock import Clock, Ids
from centralbot.ports.driving.repositories import RepositorySync, parts

T = TypeVar("T")
R = TypeVar("R")

BUDGET_S = 8.0
"""GitHub waits 10 s for an answer; the rest is for reading the body and for the network."""

RESYNC_AFTER = frozenset(
    {
        ("installation", "created"),
        ("installation", "unsuspend"),
        ("installation_repositories", "added"),
        ("installation_repositories", "removed"),
        ("repository", "transferred"),
    }
)
"""Events whose own lists may be cut or empty; a rename says everything itself, the others say that all is gone."""


class Forwarder:
    """Sends one event until the backend has it or ``budget_s`` is used up.

    Sending an event again is safe: the backend takes a delivery once.
    """

    def __init__(
        self, *, sink: EventSink, sync: RepositorySync, clock: Clock, ids: Ids, budget_s: float = BUDGET_S
    ) -> None:
        self._sink = sink
        self._sync = sync
        self._clock = clock
        self._ids = ids
        self._budget_s = budget_s

    async def pull_request(self, event: PullRequestEvent, *, spent_s: float = 0.0) -> PullRequestOutcome:
        """Forward a pull request event. Raises Unavailable when time is up, ValidationError, Forbidden.

        ``spent_s``: seconds of the budget that are gone already.
        """
        return await self._within_budget(self._sink.pull_request, event, spent_s)

    async def installation(self, event: InstallationEvent, *, spent_s: float = 0.0) -> InstallationOutcome:
        """Forward an installation event and have its full repository list follow. Raises as above."""
        outcome = await self._within_budget(self._installation, event, spent_s)
        if outcome.status is not IngestStatus.IGNORED and (event.event_name, event.action) in RESYNC_AFTER:
            self._sync.schedule(event)
        return outcome

    async def _installation(self, event: InstallationEvent) -> InstallationOutcome:
        first, *others = parts(event)
        outcome = await self._sink.installation(first)
        for part in others:
            await self._sink.installation(part)
        return outcome

    async def _within_budget(self, send: Callable[[T], Awaitable[R]], event: T, spent_s: float) -> R:
        budget_s = max(1.0, self._budget_s - spent_s)
        until_s = self._clock.monotonic_s() + budget_s
        failures = 0
        try:
            async with asyncio.timeout(budget_s):
                while True:
                    try:
                        return await send(event)
                    except Unavailable as exc:
                        pause_s = min(1.0, 0.1 * 2.0**failures) * (0.5 + 0.5 * self._ids.jitter())
                        if exc.retry_after_s > 1:
                            pause_s = max(pause_s, exc.retry_after_s)
                        if self._clock.monotonic_s() + pause_s >= until_s:
                            raise
                    failures += 1
                    await self._clock.sleep(pause_s)
        except TimeoutError as exc:
            raise Unavailable(f"the backend did not answer within {budget_s:.0f} s") from exc
