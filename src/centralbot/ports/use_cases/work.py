"""The claim loop of a worker: claims actions, runs many at once, reports each result, stops without losing any.

One long-polling claim is outstanding while there is room; at most one action of an installation is under a live lease
in the whole fleet, so the writes of one installation are serial and a slow one delays nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from centralbot.domain.errors import CentralbotError, Unavailable
from centralbot.domain.outbox import ActionStatus, Outcome, Settlement
from centralbot.ports.clock import Clock, Ids
from centralbot.ports.outbox import ActionSource, ClaimedAction, ClaimRequest, MalformedAction
from centralbot.ports.use_cases.execute import Execute
from centralbot.ports.use_cases.executors import Execution, printable


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRules:
    """Bounds of one executor, in seconds where named so.

    A write needs ``margin_s`` of its lease, or a quarter of the lease where leases are shorter than that allows.
    """

    claim_limit: int = 25
    max_in_flight: int = 200
    wait_s: float = 25.0
    margin_s: float = 15.0
    drain_s: float = 6.0
    report_s: float = 1.5
    report_attempts: int = 8


LONGEST_PAUSE_S = 3.0
"""Between two claims that fail: a backend that is back is found before a person has looked whether it is."""


class WorkObserver(Protocol):
    """Is told what happens, for logs and metrics. Must not raise."""

    def claimed(self, actions: Sequence[ClaimedAction | MalformedAction]) -> None:
        """A claim was answered, perhaps with nothing."""
        ...

    def claim_failed(self, error: Exception) -> None:
        """A claim was not answered; it is tried again."""
        ...

    def settled(
        self, action: ClaimedAction, settlement: Settlement, status: ActionStatus | None, error: Exception | None
    ) -> None:
        """A result was taken as ``status``, or could not be reported: then the lease gives the action back."""
        ...

    def malformed(self, action: MalformedAction, status: ActionStatus | None, error: Exception | None) -> None:
        """An action could not be read. It was given up as ``status``, or that could not be reported.

        Without ``error`` and ``status`` there was no id to report it by.
        """
        ...


class Executor:
    """Runs until stopped. Survives a backend that is away: it asks again after growing, jittered pauses."""

    def __init__(
        self,
        *,
        source: ActionSource,
        execute: Execute,
        worker_id: str,
        clock: Clock,
        ids: Ids,
        observer: WorkObserver,
        rules: WorkRules | None = None,
    ) -> None:
        self._source = source
        self._execute = execute
        self._worker_id = worker_id
        self._clock = clock
        self._ids = ids
        self._observer = observer
        self._rules = rules or WorkRules()
        self._stopping = asyncio.Event()
        self._giving_up = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._lease_s = 0.0

    @property
    def in_flight(self) -> int:
        """How many actions are in hand."""
        return len(self._tasks)

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        """Claim nothing more; :meth:`run` returns when what runs is finished or given back."""
        self._stopping.set()

    async def run(self) -> None:
        """Claim and execute until :meth:`stop`."""
        loop = asyncio.create_task(self._claim_forever())
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((loop, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not loop.done():
                await asyncio.wait((loop,), timeout=0.1)  # an answer may just be coming in; what it brings is released
        finally:
            stopped.cancel()
            loop.cancel()
            await asyncio.gather(loop, stopped, return_exceptions=True)
            await self._drain()
        if not self._stopping.is_set():
            loop.result()

    async def _claim_forever(self) -> None:
        idle = failures = 0
        while not self._stopping.is_set():
            free = self._rules.max_in_flight - len(self._tasks)
            if free <= 0:
                self._room.clear()
                await self._room.wait()
                continue
            request = ClaimRequest(
                worker_id=self._worker_id,
                limit=min(self._rules.claim_limit, free, 100),
                action_types=self._execute.action_types,
                max_per_installation=1,
            )
            asked_s = self._clock.monotonic_s()
            try:
                # After a failure without waiting: that it is over is known, and told, at once.
                actions = await self._source.claim(request, wait_s=0.0 if failures else self._rules.wait_s)
            except Exception as exc:
                self._observer.claim_failed(exc)
                failures += 1
                await self._clock.sleep(self._pause_s(failures, exc))
                continue
            failures = 0
            self._observer.claimed(actions)
            for action in actions:
                self._start(action)
            idle = 0 if actions or self._clock.monotonic_s() - asked_s >= 1.0 else idle + 1
            if idle:  # nothing, and it did not wait either: no tight loop
                await self._clock.sleep(min(1.0, 0.025 * 2.0 ** min(idle, 10)))

    def _pause_s(self, failures: int, exc: Exception) -> float:
        pause_s = min(LONGEST_PAUSE_S, 0.5 * 2.0 ** min(failures - 1, 10)) * (0.5 + 0.5 * self._ids.jitter())
        asked_s = exc.retry_after_s if isinstance(exc, Unavailable) and exc.retry_after_s > 1 else 0
        return max(0.5, pause_s, min(asked_s, 10))

    def _start(self, action: ClaimedAction | MalformedAction) -> None:
        if isinstance(action, MalformedAction):
            task = asyncio.create_task(self._give_up(action))
        else:
            if action.lease_expires_at is not None:
                left_s = (action.lease_expires_at - self._source.backend_now()).total_seconds()
                self._lease_s = max(self._lease_s, left_s)
            task = asyncio.create_task(self._handle(action))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._room.set()

    async def _handle(self, action: ClaimedAction) -> None:
        execution = Execution(
            action=action,
            worker_id=self._worker_id,
            backend_now=self._source.backend_now,
            margin_s=min(self._rules.margin_s, self._lease_s / 4),
            is_stopping=self._stopping.is_set,
        )
        try:
            settlement = await self._execute(execution)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._giving_up or task is None:
                raise
            task.uncancel()
            settlement = execution.not_finished("STOPPING")
        status, error = await self._report(settlement)
        self._observer.settled(action, settlement, status, error)
        if settlement.failure_code == "LEASE_SHORT" and not self._stopping.is_set():
            await self._clock.sleep(1.0)  # the clocks disagree, perhaps: claiming it again at once would spin

    async def _give_up(self, action: MalformedAction) -> None:
        """Another worker could read it no better, so it is not tried again unless an operator says so."""
        status, error = None, None
        if action.id is not None:
            settlement = Settlement(
                action_id=action.id,
                worker_id=self._worker_id,
                outcome=Outcome.FAILED,
                failure_code=action.code,
                failure_message=printable(action.message),
                claim_token=action.claim_token,
            )
            status, error = await self._report(settlement)
        self._observer.malformed(action, status, error)

    async def _report(self, settlement: Settlement) -> tuple[ActionStatus | None, Exception | None]:
        """What the action became, or why nobody would take the result."""
        error: Exception | None = None
        for attempt in range(self._rules.report_attempts):
            if attempt:
                await self._clock.sleep(min(5.0, 0.25 * 2.0**attempt) * (0.5 + 0.5 * self._ids.jitter()))
            try:
                return await self._source.settle(settlement), None
            except Unavailable as exc:
                error = exc
                continue
            except (CentralbotError, RuntimeError) as exc:  # not held, unknown, forbidden: asking again is no use
                error = exc
                break
        return None, error

    async def _drain(self) -> None:
        """Let what runs finish, then give back what does not, then leave the rest to its leases."""
        self._stopping.set()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._rules.drain_s)
        self._giving_up = True
        for rest_s in (self._rules.report_s, 0.2):
            left = set(self._tasks)
            if not left:
                return
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=rest_s)
            self._giving_up = False
