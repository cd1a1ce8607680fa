"""Forwards normalized events to the backend in the time that a webhook has, and full repository lists behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, cast

from centralbot.domain.errors import Unavailable
from centralbot.domain.events import Event, IngestStatus, InstallationEvent, OutcomeT, RepositoryRef
from centralbot.ports.backend import EventSink
from centralbot.ports.clock import Clock, Ids
from centralbot.ports.github import GitHubInstallationUnavailable, GitHubRateLimited, GitHubRefused, Installations

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


def _may_be_cut(event: InstallationEvent) -> bool:
    return (event.event_name, event.action) in RESYNC_AFTER


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

    async def forward(self, event: Event[OutcomeT], *, spent_s: float = 0.0) -> OutcomeT:
        """Forward one event; the full repository list follows it where its own may be cut.

        ``spent_s``: seconds of the budget that are gone already. Raises Unavailable when time is up, ValidationError,
        Forbidden.
        """
        sent: Sequence[Event[OutcomeT]] = (event,)
        if isinstance(event, InstallationEvent):
            sent = cast("Sequence[Event[OutcomeT]]", tuple(parts(event)))
        outcome = await self._within_budget(sent, spent_s)
        if isinstance(event, InstallationEvent) and _may_be_cut(event) and outcome.status is not IngestStatus.IGNORED:
            self._sync.schedule(event)
        return outcome

    async def _within_budget(self, events: Sequence[Event[OutcomeT]], spent_s: float) -> OutcomeT:
        """Send them all; the first one's outcome is the answer."""
        first, *others = events
        budget_s = max(1.0, self._budget_s - spent_s)
        until_s = self._clock.monotonic_s() + budget_s
        failures = 0
        try:
            async with asyncio.timeout(budget_s):
                while True:
                    try:
                        outcome = await self._sink.send(first)
                        for event in others:
                            await self._sink.send(event)
                        return outcome
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


MAX_NAMED = 4_000
"""Repositories in one event to the backend, whose limit is 1 MiB a request."""


def parts(event: InstallationEvent, size: int = MAX_NAMED) -> Iterator[InstallationEvent]:
    """The event itself, or several that say the same with at most ``size`` repositories each.

    The first keeps the delivery id. A list in several parts cannot say that what it does not name is gone.
    """
    lists = (event.repositories, event.added, event.removed)
    if sum(map(len, lists)) <= size:
        yield event
        return
    serial = 0
    for name in ("repositories", "added", "removed"):
        rows: tuple[RepositoryRef, ...] = getattr(event, name)
        for start in range(0, len(rows), size):
            serial += 1
            delivery_id = event.delivery_id if serial == 1 else f"{event.delivery_id[:110]}:{serial}"
            bare = replace(event, delivery_id=delivery_id, repositories=(), added=(), removed=(), complete=False)
            match name:
                case "repositories":
                    yield replace(bare, repositories=rows[start : start + size])
                case "added":
                    yield replace(bare, added=rows[start : start + size])
                case _:
                    yield replace(bare, removed=rows[start : start + size])


class SyncObserver(Protocol):
    """Is told what became of a repository list. Must not raise."""

    def repositories_synced(self, installation_id: int, *, repositories: int, error: Exception | None) -> None:
        """The list was brought, or given up for now with ``error`` (``centralbot sync`` repairs it later)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRules:
    """How often a list is tried, and for how long at most its pauses grow, in seconds."""

    attempts: int = 6
    max_pause_s: float = 60.0
    concurrency: int = 4


class RepositorySync:
    """One list at a time per installation: events that come meanwhile are answered by one more pass after it.

    ``backend_now`` is the time that the lists are stamped with, since events are ordered by it on every replica.
    """

    def __init__(
        self,
        *,
        sink: EventSink,
        installations: Installations,
        clock: Clock,
        ids: Ids,
        backend_now: Callable[[], datetime],
        observer: SyncObserver,
        rules: SyncRules | None = None,
    ) -> None:
        self._sink = sink
        self._installations = installations
        self._clock = clock
        self._ids = ids
        self._backend_now = backend_now
        self._observer = observer
        self._rules = rules or SyncRules()
        self._waiting: dict[int, InstallationEvent] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(self._rules.concurrency)

    def schedule(self, event: InstallationEvent) -> None:
        """Bring the list of the event's installation soon; several events share one pass."""
        installation_id = event.installation_id
        self._waiting[installation_id] = event
        if installation_id not in self._running:
            self._running[installation_id] = asyncio.create_task(self._run(installation_id))

    async def drain(self, timeout_s: float) -> None:
        """Give what runs ``timeout_s`` more, then drop it."""
        tasks = set(self._running.values())
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, installation_id: int) -> None:
        try:
            while (event := self._waiting.pop(installation_id, None)) is not None:
                try:
                    count = await self._bring(event)
                except Exception as exc:
                    self._observer.repositories_synced(installation_id, repositories=0, error=exc)
                else:
                    self._observer.repositories_synced(installation_id, repositories=count, error=None)
        finally:
            del self._running[installation_id]

    async def _bring(self, event: InstallationEvent) -> int:
        failures = 0
        while True:
            try:
                async with self._slots:
                    return await self._bring_once(event)
            except GitHubRefused:
                raise
            except Exception as exc:
                failures += 1
                if failures >= self._rules.attempts:
                    raise
                pause_s = min(self._rules.max_pause_s, 2.0 ** (failures - 1)) * (0.5 + 0.5 * self._ids.jitter())
                if isinstance(exc, GitHubRateLimited | GitHubInstallationUnavailable):
                    pause_s = max(pause_s, exc.pause_s)
            await self._clock.sleep(pause_s)

    async def _bring_once(self, event: InstallationEvent) -> int:
        asked_at = self._backend_now()  # before asking: what changes while the pages are read comes as a newer event
        found = await self._installations.list_repositories(event.installation_id)
        whole = replace(
            event,
            delivery_id=f"{event.delivery_id[:100]}:repositories",
            event_time=max(event.event_time, asked_at),
            event_name="installation_repositories",
            action="added",
            repositories=tuple(RepositoryRef(id=repo.id, full_name=repo.full_name) for repo in found),
            added=(),
            removed=(),
            complete=True,
        )
        for part in parts(whole):
            await self._sink.send(part)
        return len(found)
