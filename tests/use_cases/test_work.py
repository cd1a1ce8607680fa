"""The claim loop: what it claims, how it reports, how it survives and how it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from centralbot.domain.actions import ActionType
from centralbot.domain.errors import ActionNotHeld, Unavailable
from centralbot.domain.outbox import ActionStatus, Outcome, Settlement
from centralbot.ports.github import PullRequestRef, Ready, always
from centralbot.ports.outbox import ClaimedAction, ClaimRequest, MalformedAction
from centralbot.ports.use_cases.execute import Execute
from centralbot.ports.use_cases.executors import executors
from centralbot.ports.use_cases.work import Executor, WorkRules
from tests.builders import a_comment, a_payload
from tests.doubles.memory.clock import START, ManualClock, SequentialIds
from tests.doubles.memory.github import MemoryGitHub


def claimed(ref: PullRequestRef, **fields: Any) -> ClaimedAction:
    values: dict[str, Any] = {
        "id": uuid4(),
        "installation_id": ref.installation_id,
        "repo_id": ref.repo_id,
        "repo_full_name": ref.repo_full_name,
        "pr_number": ref.number,
        "challenge_id": None,
        "payload": a_comment(marker=f"centralbot:gate:{ref.number}"),
        "policy": None,
        "attempts": 0,
        "created_at": START,
        "claim_token": uuid4(),
        "lease_expires_at": START + timedelta(days=1),
    }
    return ClaimedAction(**{**values, **fields})


class Source:
    """An outbox as a worker sees it: hands out what it is given, remembers what comes back."""

    def __init__(self, *actions: ClaimedAction | MalformedAction) -> None:
        self.queue = list(actions)
        self.requests: list[ClaimRequest] = []
        self.waits_s: list[float] = []
        self.settlements: list[Settlement] = []
        self.claim_errors: list[Exception] = []
        self.settle_errors: list[Exception] = []
        self.held: dict[UUID, int] = {}

    async def claim(self, request: ClaimRequest, *, wait_s: float = 0.0) -> Sequence[ClaimedAction | MalformedAction]:
        self.requests.append(request)
        self.waits_s.append(wait_s)
        if self.claim_errors:
            raise self.claim_errors.pop(0)
        if not self.queue:
            await asyncio.Event().wait()
        taken, self.queue = self.queue[: request.limit], self.queue[request.limit :]
        return taken

    async def settle(self, settlement: Settlement) -> ActionStatus:
        if self.settle_errors:
            raise self.settle_errors.pop(0)
        self.settlements.append(settlement)
        return ActionStatus.DONE

    def backend_now(self) -> Any:
        return START


class Watcher:
    """Remembers what an executor tells."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.results: list[tuple[Outcome, ActionStatus | None, type[Exception] | None]] = []
        self.some = asyncio.Event()

    def claimed(self, actions: Sequence[ClaimedAction | MalformedAction]) -> None:
        pass

    def claim_failed(self, error: Exception) -> None:
        self.errors.append(error)

    def settled(
        self, action: ClaimedAction, settlement: Settlement, status: ActionStatus | None, error: Exception | None
    ) -> None:
        self.results.append((settlement.outcome, status, None if error is None else type(error)))
        self.some.set()

    def malformed(self, action: MalformedAction, status: ActionStatus | None, error: Exception | None) -> None:
        self.results.append((Outcome.FAILED, status, None if error is None else type(error)))
        self.some.set()

    async def seen(self, count: int) -> None:
        """Wait until ``count`` actions were settled or given up."""
        async with asyncio.timeout(10):
            while len(self.results) < count:
                self.some.clear()
                await self.some.wait()


class Bench:
    """An executor over a memory GitHub, with ``pulls`` pull requests and an action for each."""

    def __init__(self, pulls: int = 1, **rules: Any) -> None:
        self.clock = ManualClock()
        self.github = MemoryGitHub(self.clock.now)
        self.refs = [self.github.open_pull_request(repo_id=1000 + i, installation_id=1 + i) for i in range(pulls)]
        self.source = Source(*(claimed(ref) for ref in self.refs))
        self.watcher = Watcher()
        self.rules = rules

    def executor(self, github: MemoryGitHub | None = None, **kept: Any) -> Executor:
        github = github or self.github
        return Executor(
            source=kept.get("source", self.source),
            execute=Execute(executors(github, github, github, self.clock.now)),
            worker_id="worker-1",
            clock=self.clock,
            ids=SequentialIds(),
            observer=self.watcher,
            rules=WorkRules(**{"drain_s": 0.05, "report_s": 0.2, **self.rules}),
        )

    async def run_until(self, count: int, executor: Executor | None = None) -> None:
        """Run until ``count`` results are in, then stop."""
        executor = executor or self.executor()
        running = asyncio.create_task(executor.run())
        await self.watcher.seen(count)
        executor.stop()
        await asyncio.wait_for(running, 10)


class Stuck(MemoryGitHub):
    """A GitHub whose every call of one method hangs; ``reached`` is set when it does."""

    def __init__(self, inner: MemoryGitHub, method: str) -> None:
        super().__init__(inner.now)
        self.__dict__.update(inner.__dict__)
        self.method = method
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def create(self, ref: PullRequestRef, body: str, *, ready: Ready = always) -> int:
        ready()
        self.reached.set()
        await self.go_on.wait()
        return await super().create(ref, body)

    async def get(self, ref: PullRequestRef) -> Any:
        if self.method == "get":
            self.reached.set()
            await self.go_on.wait()
        return await super().get(ref)


async def test_every_claimed_action_is_executed_and_reported() -> None:
    """Forty actions of forty installations end as forty comments and forty results."""
    bench = Bench(pulls=40)
    await bench.run_until(40)
    assert [len(bench.github.our_comments(ref)) for ref in bench.refs] == [1] * 40
    assert [s.outcome for s in bench.source.settlements] == [Outcome.SUCCEEDED] * 40


async def test_claims_ask_for_one_action_per_installation_of_every_type() -> None:
    """Writes of one installation are serial over the whole fleet, so that is what a worker asks for."""
    bench = Bench()
    await bench.run_until(1)
    request = bench.source.requests[0]
    assert (request.limit, request.max_per_installation) == (25, 1)
    assert request.action_types == tuple(ActionType)


async def test_no_more_is_claimed_than_there_is_room_for() -> None:
    """With two places only two actions are in hand, and the third waits for one of them."""
    bench = Bench(pulls=3, max_in_flight=2)
    stuck = Stuck(bench.github, "create")
    executor = bench.executor(stuck)
    running = asyncio.create_task(executor.run())
    await stuck.reached.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert ([r.limit for r in bench.source.requests], executor.in_flight) == ([2], 2)
    stuck.go_on.set()
    await bench.watcher.seen(3)
    executor.stop()
    await running
    assert len(bench.source.settlements) == 3


async def test_a_backend_that_is_away_is_asked_again() -> None:
    """Claims that fail are reported and repeated; nothing crashes and no action is lost."""
    bench = Bench()
    bench.source.claim_errors = [Unavailable("down"), RuntimeError("odd"), Unavailable("down", retry_after_s=5)]
    await bench.run_until(1)
    assert len(bench.watcher.errors) == 3
    assert bench.watcher.results == [(Outcome.SUCCEEDED, ActionStatus.DONE, None)]


async def test_pauses_after_failed_claims_grow_to_three_seconds() -> None:
    """A backend that is back is found soon, however long it was away."""
    bench = Bench()
    bench.source.claim_errors = [Unavailable("down") for _ in range(100)]
    await bench.run_until(1)
    assert 150 < bench.clock.monotonic_s() < 300


async def test_the_first_claim_after_failures_does_not_wait() -> None:
    """That the backend is back is told at once, also where it has nothing to do."""
    bench = Bench()
    bench.source.claim_errors = [Unavailable("down")]
    await bench.run_until(1)
    assert bench.source.waits_s[:3] == [WorkRules().wait_s, 0.0, WorkRules().wait_s]


async def test_an_outbox_that_answers_at_once_with_nothing_is_not_asked_in_a_tight_loop() -> None:
    """A backend that ignores ``wait_s`` gets a growing pause between questions."""
    bench = Bench()

    class Impatient(Source):
        async def claim(
            self, request: ClaimRequest, *, wait_s: float = 0.0
        ) -> Sequence[ClaimedAction | MalformedAction]:
            self.requests.append(request)
            await asyncio.sleep(0)
            if len(self.requests) == 30:
                return [claimed(bench.refs[0])]
            return []

    bench.source = Impatient()
    await bench.run_until(1)
    assert bench.clock.monotonic_s() > 20


async def test_a_result_is_reported_again_until_the_backend_takes_it() -> None:
    """The comment is posted once, however often its result has to be sent."""
    bench = Bench()
    bench.source.settle_errors = [Unavailable("down") for _ in range(3)]
    await bench.run_until(1)
    assert bench.watcher.results == [(Outcome.SUCCEEDED, ActionStatus.DONE, None)]
    assert len(bench.github.our_comments(bench.refs[0])) == 1


async def test_a_result_that_nobody_takes_is_left_to_the_lease() -> None:
    """After a bounded number of tries the worker goes on with other work."""
    bench = Bench(report_attempts=3)
    bench.source.settle_errors = [Unavailable("down") for _ in range(3)]
    await bench.run_until(1)
    assert bench.watcher.results == [(Outcome.SUCCEEDED, None, Unavailable)]


async def test_a_stale_claim_is_dropped() -> None:
    """409: somebody else holds the action now, so asking again is no use."""
    bench = Bench()
    bench.source.settle_errors = [ActionNotHeld("not held")]
    await bench.run_until(1)
    assert bench.watcher.results == [(Outcome.SUCCEEDED, None, ActionNotHeld)]
    assert bench.source.settlements == []


async def test_an_action_that_cannot_be_read_fails_alone() -> None:
    """It is given up with its code, by the claim that holds it; nothing of it is written, and the others run."""
    bench = Bench(pulls=2)
    action_id = uuid4()
    bad = MalformedAction(
        id=action_id, claim_token=uuid4(), code="MALFORMED_ACTION", message="payload.comment_marker:\nmust not be empty"
    )
    bench.source.queue.insert(1, bad)
    await bench.run_until(3)
    assert [len(bench.github.our_comments(ref)) for ref in bench.refs] == [1, 1]
    failed = [s for s in bench.source.settlements if s.outcome is not Outcome.SUCCEEDED]
    assert failed == [
        Settlement(
            action_id=action_id,
            worker_id="worker-1",
            outcome=Outcome.FAILED,
            failure_code="MALFORMED_ACTION",
            failure_message="payload.comment_marker: must not be empty",
            claim_token=bad.claim_token,
        )
    ]


async def test_an_action_without_an_id_is_told_of_and_left_to_its_lease() -> None:
    """There is nothing to report it by."""
    bench = Bench()
    bench.source.queue.insert(0, MalformedAction(id=None, claim_token=None, code="MALFORMED_ACTION", message="17"))
    await bench.run_until(2)
    assert [s.outcome for s in bench.source.settlements] == [Outcome.SUCCEEDED]
    assert (Outcome.FAILED, None, None) in bench.watcher.results


async def test_on_stop_what_has_written_nothing_is_released() -> None:
    """An action that was still reading goes back uncounted, and nothing is posted."""
    bench = Bench()
    bench.source.queue = [claimed(bench.refs[0], payload=a_payload(ActionType.CLOSE_PR_WITH_COMMENT))]
    stuck = Stuck(bench.github, "get")
    executor = bench.executor(stuck)
    running = asyncio.create_task(executor.run())
    await stuck.reached.wait()
    executor.stop()
    await running
    assert [(s.outcome, s.failure_code) for s in bench.source.settlements] == [(Outcome.RELEASED, "STOPPING")]
    assert bench.github.our_comments(bench.refs[0]) == []


async def test_on_stop_what_writes_may_finish() -> None:
    """A comment that is under way is awaited and its success reported."""
    bench = Bench(drain_s=5.0)
    stuck = Stuck(bench.github, "create")
    executor = bench.executor(stuck)
    running = asyncio.create_task(executor.run())
    await stuck.reached.wait()
    executor.stop()
    stuck.go_on.set()
    await running
    assert [s.outcome for s in bench.source.settlements] == [Outcome.SUCCEEDED]


async def test_on_stop_a_write_that_hangs_is_given_back_as_an_attempt() -> None:
    """Its effect is unknown, so the next worker has to look before it posts: the attempt counts."""
    bench = Bench()
    stuck = Stuck(bench.github, "create")
    executor = bench.executor(stuck)
    running = asyncio.create_task(executor.run())
    await stuck.reached.wait()
    executor.stop()
    await running
    reported = [(s.outcome, s.failure_code, s.retry_after_s) for s in bench.source.settlements]
    assert reported == [(Outcome.RETRYABLE_FAILURE, "STOPPING", 0.0)]


async def test_a_short_lease_needs_a_shorter_margin() -> None:
    """Where the backend leases for four seconds, a write needs one of them, not fifteen."""
    bench = Bench()
    bench.source.queue = [claimed(bench.refs[0], lease_expires_at=START + timedelta(seconds=4))]
    await bench.run_until(1)
    assert bench.watcher.results == [(Outcome.SUCCEEDED, ActionStatus.DONE, None)]


async def test_an_expired_lease_is_not_executed() -> None:
    """An answer that lay unread until its leases were out writes nothing."""
    bench = Bench(pulls=2)
    first = bench.source.queue[0]
    late = claimed(bench.refs[1], lease_expires_at=START - timedelta(seconds=1))
    bench.source.queue = [first, late]
    await bench.run_until(2)
    assert sorted(s.outcome for s in bench.source.settlements) == [Outcome.RELEASED, Outcome.SUCCEEDED]
    assert bench.github.our_comments(bench.refs[1]) == []
