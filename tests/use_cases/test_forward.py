"""Forwarding within GitHub's patience, and the repository list that follows an installation event."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from centralbot.domain.errors import CentralbotError, Forbidden, Unavailable, ValidationError
from centralbot.domain.events import (
    Event,
    IngestStatus,
    InstallationEvent,
    OutcomeT,
    PullRequestEvent,
    RepositoryRef,
)
from centralbot.ports.github import GitHubInstallationUnavailable, GitHubRefused, GitHubUnavailable
from centralbot.ports.use_cases.forward import Forwarder, RepositorySync, parts
from tests.builders import a_pull_request_event, a_repository, an_installation_event, an_outcome
from tests.doubles.memory.clock import START, ManualClock, SequentialIds
from tests.doubles.memory.github import MemoryGitHub


class Sink:
    """A backend that remembers, after failing as often as it is told to."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.pull_requests: list[PullRequestEvent] = []
        self.installations: list[InstallationEvent] = []
        self.status = IngestStatus.ACCEPTED
        self.hangs = False

    async def send(self, event: Event[OutcomeT]) -> OutcomeT:
        await self._fail()
        if isinstance(event, PullRequestEvent):
            self.pull_requests.append(event)
        if isinstance(event, InstallationEvent):
            self.installations.append(event)
        return an_outcome(event, self.status)

    async def _fail(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.errors:
            raise self.errors.pop(0)


class Bench:
    def __init__(self, budget_s: float = 8.0) -> None:
        self.clock = ManualClock()
        self.sink = Sink()
        self.github = MemoryGitHub(self.clock.now)
        for repo_id in (1, 2, 3):
            self.github.add_repository(repo_id, f"org/repo-{repo_id}")
        self.synced: list[tuple[int, int, Exception | None]] = []
        self.sync = RepositorySync(
            sink=self.sink,
            installations=self.github,
            clock=self.clock,
            ids=SequentialIds(),
            backend_now=self.clock.now,
            observer=self,
        )
        self.forwarder = Forwarder(
            sink=self.sink, sync=self.sync, clock=self.clock, ids=SequentialIds(), budget_s=budget_s
        )

    def repositories_synced(self, installation_id: int, *, repositories: int, error: Exception | None) -> None:
        self.synced.append((installation_id, repositories, error))


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_an_event_is_sent_again_until_the_backend_has_it(bench: Bench) -> None:
    """A backend that is away for a moment costs no delivery."""
    bench.sink.errors = [Unavailable("restarting") for _ in range(4)]
    outcome = await bench.forwarder.forward(a_pull_request_event())
    assert (outcome.status, len(bench.sink.pull_requests)) == (IngestStatus.ACCEPTED, 1)


async def test_a_backend_that_stays_away_is_given_up_within_the_budget(bench: Bench) -> None:
    """GitHub waits ten seconds, so after eight of them the answer is that it failed."""
    bench.sink.errors = [Unavailable("down") for _ in range(1000)]
    with pytest.raises(Unavailable):
        await bench.forwarder.forward(a_pull_request_event())
    assert 5 < bench.clock.monotonic_s() <= 8


async def test_a_backend_that_asks_for_more_time_than_there_is_is_not_asked_again(bench: Bench) -> None:
    """Retry-After beyond the budget ends it at once."""
    bench.sink.errors = [Unavailable("down", retry_after_s=60), Unavailable("down")]
    with pytest.raises(Unavailable):
        await bench.forwarder.forward(a_pull_request_event())
    assert len(bench.sink.errors) == 1


async def test_a_backend_that_hangs_is_given_up() -> None:
    """No answer at all is an Unavailable too."""
    bench = Bench(budget_s=1.0)
    bench.sink.hangs = True
    with pytest.raises(Unavailable):
        await bench.forwarder.forward(a_pull_request_event(), spent_s=5.0)


@pytest.mark.parametrize("error", [Forbidden("key"), ValidationError("pull_request.id: missing")])
async def test_a_refusal_is_not_repeated(bench: Bench, error: CentralbotError) -> None:
    """The same event would be refused again."""
    bench.sink.errors = [error, Unavailable("not reached")]
    with pytest.raises(type(error)):
        await bench.forwarder.forward(a_pull_request_event())
    assert len(bench.sink.errors) == 1


@pytest.mark.parametrize(
    ("event_name", "action", "follows"),
    [
        ("installation", "created", True),
        ("installation", "unsuspend", True),
        ("installation", "suspend", False),
        ("installation", "deleted", False),
        ("installation_repositories", "added", True),
        ("installation_repositories", "removed", True),
        ("repository", "renamed", False),
        ("repository", "transferred", True),
    ],
)
async def test_the_full_list_follows_what_may_have_changed_it(
    bench: Bench, event_name: str, action: str, follows: bool
) -> None:
    """Whoever is suspended or gone cannot be asked; a rename says all there is."""
    await bench.forwarder.forward(an_installation_event(action, event_name=event_name))
    await bench.sync.drain(5.0)
    assert len(bench.sink.installations) == (2 if follows else 1)


async def test_the_list_is_complete_and_stamped_with_the_time_of_asking(bench: Bench) -> None:
    """What is not in it is gone, as of the moment before GitHub was asked."""
    event = an_installation_event("removed", removed=(9,))
    await bench.forwarder.forward(event)
    await bench.sync.drain(5.0)
    sent = bench.sink.installations[1]
    assert (sent.event_name, sent.action, sent.complete) == ("installation_repositories", "added", True)
    assert (sent.delivery_id, sent.event_time) == (f"{event.delivery_id}:repositories", START)
    assert (sent.repositories, sent.removed) == (tuple(a_repository(i) for i in (1, 2, 3)), ())
    assert bench.synced == [(123, 3, None)]


async def test_the_list_is_never_older_than_its_event(bench: Bench) -> None:
    """Where our clock is behind GitHub's, the event's own time is the later one."""
    await bench.forwarder.forward(an_installation_event("created", event_time=START + timedelta(seconds=30)))
    await bench.sync.drain(5.0)
    assert bench.sink.installations[1].event_time == START + timedelta(seconds=30)


async def test_an_ignored_event_brings_no_list(bench: Bench) -> None:
    """A deleted installation is not asked about."""
    bench.sink.status = IngestStatus.IGNORED
    await bench.forwarder.forward(an_installation_event("created"))
    await bench.sync.drain(5.0)
    assert len(bench.sink.installations) == 1


async def test_events_that_come_together_share_one_pass(bench: Bench) -> None:
    """Ten events of one installation ask GitHub once, and the latest names the delivery."""
    for i in range(10):
        bench.sync.schedule(an_installation_event("added", delivery_id=f"d-{i}"))
    await bench.sync.drain(5.0)
    assert bench.github.calls == ["list_repositories"]
    assert bench.sink.installations[0].delivery_id == "d-9:repositories"


async def test_an_event_during_a_pass_gets_a_pass_of_its_own(bench: Bench) -> None:
    """What changed while the pages were read must not be missed."""
    bench.sync.schedule(an_installation_event("added", delivery_id="first"))
    while not bench.github.calls:  # noqa: ASYNC110 - one step of the pass at a time
        await asyncio.sleep(0)
    bench.sync.schedule(an_installation_event("added", delivery_id="second"))
    await bench.sync.drain(5.0)
    assert bench.sink.installations[-1].delivery_id == "second:repositories"


async def test_the_list_is_tried_again_when_github_or_the_backend_is_away(bench: Bench) -> None:
    """A pause that GitHub asks for is kept."""
    bench.github.fail_next(GitHubUnavailable("502"))
    bench.github.fail_next(GitHubInstallationUnavailable("paused", pause_s=300.0))
    bench.sink.errors = [Unavailable("down")]
    bench.sync.schedule(an_installation_event("added"))
    await bench.sync.drain(5.0)
    assert bench.synced == [(123, 3, None)]
    assert bench.clock.monotonic_s() > 300


async def test_a_list_that_github_refuses_is_reported(bench: Bench) -> None:
    """There is no use in asking again; ``centralbot sync`` repairs it later."""
    refused = GitHubRefused("no", reason="FORBIDDEN", status=403)
    bench.github.fail_next(refused)
    bench.sync.schedule(an_installation_event("added"))
    await bench.sync.drain(5.0)
    assert bench.synced == [(123, 0, refused)]


def test_a_long_list_is_cut_into_parts_that_fit() -> None:
    """The backend takes a megabyte a request: nothing is lost, and no part claims to be everything."""
    event = an_installation_event("added", *range(1, 6), added=(7, 8, 9), removed=(11,), complete=True, delivery_id="d")
    cut = list(parts(event, size=2))
    assert [part.delivery_id for part in cut] == ["d", "d:2", "d:3", "d:4", "d:5", "d:6"]
    assert sum((part.repositories for part in cut), ()) == event.repositories
    assert sum((part.added for part in cut), ()) == event.added
    assert sum((part.removed for part in cut), ()) == (RepositoryRef(id=11, full_name="org/repo-11"),)
    assert [part.complete for part in cut] == [False] * 6


def test_a_short_list_stays_in_one_part() -> None:
    """The usual case is the event itself."""
    event = an_installation_event("created", 1, 2, complete=True)
    assert list(parts(event)) == [event]
