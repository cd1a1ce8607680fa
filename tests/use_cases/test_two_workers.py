"""Workers over the memory store: one action for two of them, and a worker that dies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from centralbot.domain.events import IngestStatus
from centralbot.domain.outbox import ActionStatus, Settlement
from centralbot.ports.outbox import ClaimedAction, MalformedAction
from centralbot.ports.use_cases.execute import Execute
from centralbot.ports.use_cases.executors import executors
from centralbot.ports.use_cases.work import Executor, WorkRules
from tests.builders import INSTALLATION, REPO, a_config, a_context, a_pull_request_event, an_installation_event
from tests.contracts.adapters import a_memory_store
from tests.doubles.memory.clock import ManualClock, SequentialIds
from tests.doubles.memory.github import MemoryGitHub
from tests.doubles.memory.worker_side import MemoryActionSource, MemoryEventSink


class Done:
    """Signals when a number of results were taken."""

    def __init__(self) -> None:
        self.statuses: list[ActionStatus | None] = []
        self.changed = asyncio.Event()

    def claimed(self, actions: Sequence[ClaimedAction | MalformedAction]) -> None:
        pass

    def claim_failed(self, error: Exception) -> None:
        raise error

    def malformed(self, action: MalformedAction, status: ActionStatus | None, error: Exception | None) -> None:
        raise AssertionError(action)

    def settled(
        self, action: ClaimedAction, settlement: Settlement, status: ActionStatus | None, error: Exception | None
    ) -> None:
        self.statuses.append(status)
        self.changed.set()


class Fleet:
    """A store with one gated pull request, a GitHub that has it, and workers."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ids = SequentialIds()
        under = a_memory_store(self.clock, self.ids, a_context(a_config()))
        self.store = under.store
        self.sink = MemoryEventSink(self.store.deliveries, under.context)
        self.github = MemoryGitHub(self.clock.now)
        self.ref = self.github.open_pull_request(repo_id=REPO, number=42, installation_id=INSTALLATION)
        self.done = Done()

    async def gate_it(self) -> None:
        await self.sink.send(an_installation_event("created", REPO))
        outcome = await self.sink.send(a_pull_request_event())
        assert (outcome.status, outcome.enqueued_actions) == (IngestStatus.ACCEPTED, 1)

    def worker(self, name: str) -> Executor:
        return Executor(
            source=MemoryActionSource(self.store.outbox, self.clock),
            execute=Execute(executors(self.github, self.github, self.github, self.clock.now)),
            worker_id=name,
            clock=self.clock,
            ids=self.ids,
            observer=self.done,
            rules=WorkRules(wait_s=5.0),
        )


async def test_two_workers_and_one_action_make_one_comment() -> None:
    """Whoever claims it does it, once."""
    fleet = Fleet()
    workers = [fleet.worker("worker-1"), fleet.worker("worker-2")]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    await fleet.gate_it()
    await asyncio.wait_for(fleet.done.changed.wait(), 10)
    for worker in workers:
        worker.stop()
    await asyncio.gather(*running)
    assert fleet.done.statuses == [ActionStatus.DONE]
    assert len(fleet.github.our_comments(fleet.ref)) == 1


async def test_a_worker_killed_between_comment_and_result_leaves_one_comment() -> None:
    """Its lease runs out, and the next worker adopts the comment that is there."""
    fleet = Fleet()
    await fleet.gate_it()
    about_to_report = asyncio.Event()

    class Killed(MemoryActionSource):
        async def settle(self, settlement: Settlement) -> ActionStatus:
            about_to_report.set()
            await asyncio.Event().wait()
            raise AssertionError

    dying = Executor(
        source=Killed(fleet.store.outbox, fleet.clock),
        execute=Execute(executors(fleet.github, fleet.github, fleet.github, fleet.clock.now)),
        worker_id="worker-1",
        clock=fleet.clock,
        ids=fleet.ids,
        observer=fleet.done,
        rules=WorkRules(drain_s=0.0, report_s=0.0),
    )
    running = asyncio.create_task(dying.run())
    await asyncio.wait_for(about_to_report.wait(), 10)
    dying.stop()
    await running
    fleet.clock.advance(61)
    worker = fleet.worker("worker-2")
    running = asyncio.create_task(worker.run())
    await asyncio.wait_for(fleet.done.changed.wait(), 10)
    worker.stop()
    await running
    assert fleet.done.statuses == [ActionStatus.DONE]
    assert fleet.github.calls == ["permission", "create", "permission", "find_own", "update"]
    assert len(fleet.github.our_comments(fleet.ref)) == 1
