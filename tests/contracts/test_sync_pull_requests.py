"""Open pull requests that no webhook told of get their check; what is older than its gate is left alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.config import DEFAULT_EXEMPT_LABEL, Mode
from centralbot.domain.errors import Unavailable
from centralbot.domain.events import AuthorAssociation, UserType
from centralbot.domain.gating import Reason
from centralbot.ports.github import (
    GitHubError,
    GitHubRateLimited,
    GitHubRefused,
    GitHubUnavailable,
    PullRequestRef,
    RepositoryName,
)
from centralbot.ports.use_cases.ingest import Ingest
from centralbot.ports.use_cases.sync import GitHubSync
from centralbot.ports.use_cases.sync_pull_requests import OpenPullRequestSync, found_event
from centralbot.ports.use_cases.sync_report import SyncReport
from tests.builders import AUTHOR, INSTALLATION, REPO, a_config, a_pull_request_event, an_installation_event
from tests.contracts.driver import UnderTest
from tests.doubles.memory.github import MemoryGitHub

DAY = timedelta(days=1)
NAME = f"org/repo-{REPO}"


async def a_github(store: UnderTest, *repos: int) -> MemoryGitHub:
    """A GitHub whose clock is the store's now, with the App on these repositories."""
    now = await store.store.health.now()
    github = MemoryGitHub(lambda: now)
    for repo_id in repos or (REPO,):
        github.add_repository(repo_id, f"org/repo-{repo_id}", installation_id=INSTALLATION)
    return github


async def gated_for(store: UnderTest, days: float, *repos: int, **config: Any) -> MemoryGitHub:
    """Repositories that have been gated for so long, on both sides."""
    await store.connect(*repos, config=a_config(**config))
    await store.advance(days * 86_400)
    return await a_github(store, *repos)


def opened(github: MemoryGitHub, ago: timedelta = timedelta(hours=1), **fields: Any) -> PullRequestRef:
    """A pull request that came ``ago`` and of which nothing was heard."""
    return github.open_pull_request(created_at=github.now() - ago, **fields)


async def synced(
    store: UnderTest, github: MemoryGitHub, run_id: str = "run", *, default: Mode = Mode.OFF, days: float = 7
) -> SyncReport:
    ingest = Ingest(store.store.deliveries, store.context)
    use_case = GitHubSync(
        github=github,
        repositories=store.store.repositories,
        health=store.store.health,
        ingest=ingest,
        pull_requests=OpenPullRequestSync(github=github, ingest=ingest, default_mode=default),
    )
    return await use_case.run(run_id, since=timedelta(hours=72), pull_requests_since=timedelta(days=days))


async def challenges(store: UnderTest) -> list[Challenge]:
    return sorted(await store.store.challenges.search(limit=1000), key=lambda one: one.pr_number)


async def test_one_that_no_webhook_told_of_gets_its_check(store: UnderTest) -> None:
    """As if it had been told: its comment is queued, and its clock starts with that."""
    github = await gated_for(store, 3)
    ref = opened(github, number=42)
    report = await synced(store, github)
    (challenge,) = await challenges(store)
    (action,) = await store.claim()
    assert (report.pull_requests_gated, report.pull_requests, report.failures) == ([f"{NAME}#42"], 1, [])
    assert (challenge.status, challenge.deadline_at, challenge.author_id) == (ChallengeStatus.PENDING, None, AUTHOR.id)
    assert (challenge.head_sha, challenge.event_at) == (github.pull(ref).head_sha, github.pull(ref).updated_at)
    assert (action.pr_number, action.challenge_id) == (42, challenge.id)


async def test_a_second_run_changes_nothing(store: UnderTest) -> None:
    """Nor a third after something happened to the pull request."""
    github = await gated_for(store, 3)
    ref = opened(github)
    await synced(store, github)
    second = await synced(store, github, "second")
    github.pull(ref).updated_at += timedelta(minutes=5)
    third = await synced(store, github, "third")
    assert (second.pull_requests_gated, third.pull_requests_gated) == ([], [])
    assert (len(await challenges(store)), len(await store.claim())) == (1, 1)


@pytest.mark.parametrize(
    ("gated_days", "days", "age", "gated"),
    [
        (3, 7, timedelta(hours=1), True),
        (3, 7, 3 * DAY - timedelta(minutes=1), True),
        (3, 7, 3 * DAY + timedelta(minutes=1), False),
        (400, 7, 7 * DAY - timedelta(minutes=1), True),
        (400, 7, 7 * DAY + timedelta(minutes=1), False),
        (400, 30, 8 * DAY, True),
        (400, 0, timedelta(minutes=1), False),
    ],
)
async def test_what_is_older_than_its_gate_or_too_old_is_left_alone(
    store: UnderTest, gated_days: float, days: float, age: timedelta, gated: bool
) -> None:
    """Counted, and nothing else."""
    github = await gated_for(store, gated_days)
    opened(github, age)
    report = await synced(store, github, days=days)
    assert (len(await challenges(store)), report.pull_requests_left_alone) == (int(gated), int(not gated))
    assert len(await store.claim()) == int(gated)


async def test_what_was_there_before_its_repository_joined_is_left_alone(store: UnderTest) -> None:
    """Also where this very run brought the repository, though it was configured long ago."""
    await store.store.repositories.configure(REPO, a_config(), actor="test")
    await store.advance(400 * 86_400)
    github = await a_github(store)
    opened(github, timedelta(minutes=1))
    first, second = await synced(store, github), await synced(store, github, "second")
    assert (first.repositories, first.pull_requests_left_alone, second.pull_requests_left_alone) == (1, 1, 1)
    assert await challenges(store) == []


async def test_what_was_opened_while_nobody_was_gated_is_left_alone(store: UnderTest) -> None:
    """Off, or only in shadow, or the installation suspended: the gate as it is now is newer."""
    github = await gated_for(store, 3, mode=Mode.OFF)
    opened(github)
    await store.store.repositories.configure(REPO, a_config(Mode.SHADOW), actor="test")
    shadow = await synced(store, github, "shadow")
    await store.store.repositories.configure(REPO, a_config(), actor="test")
    enforced = await synced(store, github, "enforced")
    assert [report.pull_requests_left_alone for report in (shadow, enforced)] == [1, 1]
    assert await challenges(store) == []


async def test_what_was_opened_during_a_suspension_is_left_alone(store: UnderTest) -> None:
    """The owner wanted no bot then."""
    github = await gated_for(store, 3)
    ended = github.now() - timedelta(minutes=30)
    for action, at in (("suspend", ended - DAY), ("unsuspend", ended)):
        await store.install(an_installation_event(action, event_time=at))
    opened(github, timedelta(hours=1), number=1)
    opened(github, timedelta(minutes=10), number=2)
    report = await synced(store, github)
    assert (report.pull_requests_gated, report.pull_requests_left_alone) == ([f"{NAME}#2"], 1)


async def test_where_the_gate_is_off_github_is_not_asked(store: UnderTest) -> None:
    """By configuration or by default."""
    github = await gated_for(store, 3, 1, 2, mode=Mode.OFF)
    github.add_repository(3, "org/repo-3", installation_id=INSTALLATION)
    for repo_id in (1, 2, 3):
        opened(github, repo_id=repo_id)
    report = await synced(store, github)
    assert ("list_open" in github.calls, report.repositories_left_alone, report.pull_requests) == (False, 0, 0)


async def test_without_a_configuration_of_its_own_a_repository_is_left_alone_and_counted(store: UnderTest) -> None:
    """The default may have come a minute ago."""
    github = await a_github(store)
    await synced(store, github)
    opened(github)
    report = await synced(store, github, "again", default=Mode.ENFORCE)
    assert ("list_open" in github.calls, report.repositories_left_alone) == (False, 1)
    assert await challenges(store) == []


async def test_a_draft_is_gated_as_its_repository_says(store: UnderTest) -> None:
    """Not at all, then as soon as it is ready."""
    github = await gated_for(store, 3, draft_prs_gated=False)
    ref = opened(github, draft=True)
    as_draft = await synced(store, github)
    github.pull(ref).draft = False
    github.pull(ref).updated_at += timedelta(minutes=5)
    ready = await synced(store, github, "ready")
    assert (as_draft.pull_requests_gated, ready.pull_requests_gated) == ([], [f"{NAME}#{ref.number}"])


async def test_a_draft_is_gated_where_drafts_are(store: UnderTest) -> None:
    """As its webhook would have had it."""
    github = await gated_for(store, 3)
    ref = opened(github, draft=True)
    assert (await synced(store, github)).pull_requests_gated == [f"{NAME}#{ref.number}"]


@pytest.mark.parametrize(
    "fields",
    [
        {"author_type": UserType.BOT},
        {"association": AuthorAssociation.MEMBER},
        {"labels": (DEFAULT_EXEMPT_LABEL,)},
        {"author_id": None},
        {"author_id": 77},
    ],
)
async def test_who_is_exempt_is_exempt(store: UnderTest, fields: dict[str, Any]) -> None:
    """A bot, a member, one with the label, a deleted account, one on the whitelist."""
    github = await gated_for(store, 3)
    await store.store.whitelist.add(REPO, type(AUTHOR)(id=77, login="contrib"), actor="test")
    ref = opened(github)
    for name, value in fields.items():
        setattr(github.pull(ref), name, value)
    report = await synced(store, github)
    (challenge,) = await challenges(store)
    assert (report.pull_requests_exempt, report.pull_requests_gated) == (1, [])
    assert challenge.status is ChallengeStatus.EXEMPT


@pytest.mark.parametrize("status", ["pending", "verified", "timed out", "canceled"])
async def test_what_was_decided_stays_decided(store: UnderTest, status: str) -> None:
    """Whatever became of it; also where it was called off and the pull request is open."""
    await store.connect()
    await store.advance(3 * 86_400)
    when = await store.store.health.now() - timedelta(hours=1)
    if status == "timed out":
        await store.timed_out(updated_at=when)
    else:
        challenge = await store.challenged(updated_at=when)
        if status == "verified":
            await store.verify(challenge)
        if status == "canceled":
            await store.take(a_pull_request_event("closed", updated_at=when + timedelta(minutes=1)))
    before = await challenges(store)
    github = await a_github(store)
    ref = opened(github, number=42)
    github.pull(ref).updated_at = github.now()
    report = await synced(store, github)
    assert (await challenges(store), report.pull_requests, report.pull_requests_gated) == (before, 1, [])


async def test_one_that_is_closed_meanwhile_is_not_gated(store: UnderTest) -> None:
    """Its close came between GitHub's list and the decision."""

    class Closing(MemoryGitHub):
        async def list_open(self, installation_id: int, repository: RepositoryName, *, since: datetime) -> Any:
            found = await super().list_open(installation_id, repository, since=since)
            await store.take(a_pull_request_event("closed", number=1, updated_at=self.now()))
            return found

    await gated_for(store, 3)
    now = await store.store.health.now()
    github = Closing(lambda: now)
    github.add_repository(REPO, NAME, installation_id=INSTALLATION)
    opened(github, number=1)
    report = await synced(store, github)
    assert (await challenges(store), report.pull_requests_gated, report.pull_requests) == ([], [], 1)


async def test_one_whose_repository_changed_its_mode_meanwhile_is_left_alone(store: UnderTest) -> None:
    """It was opened under the other mode; the next run knows since when the new one is."""

    class Switching(MemoryGitHub):
        async def list_open(self, installation_id: int, repository: RepositoryName, *, since: datetime) -> Any:
            await store.store.repositories.configure(REPO, a_config(), actor="test")
            return await super().list_open(installation_id, repository, since=since)

    await gated_for(store, 3, mode=Mode.SHADOW)
    now = await store.store.health.now()
    github = Switching(lambda: now)
    github.add_repository(REPO, NAME, installation_id=INSTALLATION)
    opened(github)
    report = await synced(store, github)
    assert (await challenges(store), report.pull_requests_gated, await store.claim()) == ([], [], [])


async def test_its_late_webhook_makes_no_second_check(store: UnderTest) -> None:
    """However late."""
    github = await gated_for(store, 3)
    ref = opened(github, number=42)
    await synced(store, github)
    late = await store.take(a_pull_request_event(updated_at=github.pull(ref).updated_at))
    assert (late.reason, late.enqueued_actions, len(await challenges(store))) == (Reason.ALREADY_PENDING, 0, 1)


async def test_250_of_a_renamed_repository_are_all_found(store: UnderTest) -> None:
    """Their comments go out under its new name."""
    github = await gated_for(store, 3)
    for number in range(1, 251):
        opened(github, number=number)
    github.repositories[REPO].full_name = "org/renamed"
    report = await synced(store, github)
    assert report.pull_requests_gated == [f"org/renamed#{number}" for number in range(250, 0, -1)]
    assert {one.repo_full_name for one in await challenges(store)} == {"org/renamed"}


async def test_a_shadow_says_nothing_to_anybody(store: UnderTest) -> None:
    """It is recorded what would have been."""
    github = await gated_for(store, 3, mode=Mode.SHADOW)
    opened(github)
    await synced(store, github)
    assert ([one.mode for one in await challenges(store)], await store.claim()) == ([Mode.SHADOW], [])


REFUSED = GitHubRefused("Not Found", reason="NOT_FOUND", status=404)
LIMITED = GitHubRateLimited("slow down", pause_s=60)
BROKEN = GitHubUnavailable("HTTP 502")
WAITING = f"pull requests of installation {INSTALLATION}: {{}} more repositories not asked for"


@pytest.mark.parametrize(
    ("errors", "asked", "last"),
    [
        ([REFUSED] * 4, 6, "pull requests of org/repo-4: Not Found"),
        ([LIMITED], 2, WAITING.format(4)),
        ([BROKEN] * 2, 6, "pull requests of org/repo-2: HTTP 502"),
        ([BROKEN] * 3, 4, WAITING.format(2)),
    ],
)
async def test_an_installation_that_fails_does_not_stop_the_others(
    store: UnderTest, errors: list[GitHubError], asked: int, last: str
) -> None:
    """A limit ends it at once, failures of the network soon; a repository that refuses is only itself."""
    await store.install(an_installation_event("created", 9, installation_id=INSTALLATION + 1))
    await store.store.repositories.configure(9, a_config(), actor="test")
    github = await gated_for(store, 3, 1, 2, 3, 4, 5)
    github.add_repository(9, "other/repo-9", installation_id=INSTALLATION + 1)
    opened(github, repo_id=9, number=7)
    for error in errors:
        github.fail_next(error, call="list_open")
    report = await synced(store, github)
    assert (github.calls.count("list_open"), report.failures[-1]) == (asked, last)
    assert report.pull_requests_gated == ["other/repo-9#7"]


async def test_an_installation_whose_repositories_could_not_be_listed_is_not_looked_into(store: UnderTest) -> None:
    """What is in it now is not known."""
    github = await gated_for(store, 3)
    opened(github)
    github.fail_next(BROKEN, call="list_repositories")
    report = await synced(store, github)
    assert ("list_open" in github.calls, await challenges(store)) == (False, [])
    assert report.failures == [f"repositories of installation {INSTALLATION}: HTTP 502"]


async def test_a_store_that_fails_ends_the_run_with_its_own_error(store: UnderTest) -> None:
    """Not with a group of them."""

    class Broken(Ingest):
        async def found(self, event: object, *, mode: Mode) -> Any:
            raise Unavailable(f"the store cannot answer in {mode}")

    github = await gated_for(store, 3)
    opened(github)
    lost = OpenPullRequestSync(
        github=github, ingest=Broken(store.store.deliveries, store.context), default_mode=Mode.ENFORCE
    )
    since = github.now() - DAY
    with pytest.raises(Unavailable):
        await lost.run(
            await store.store.repositories.list(), since=since, report=SyncReport(), progress=lambda *_: None
        )


async def test_a_delivery_id_is_short_and_the_same_each_time() -> None:
    """Of the longest numbers; the contract's limit is 128."""
    github = MemoryGitHub(lambda: datetime.fromisoformat("2026-02-16T12:00:00+00:00"))
    ref = github.open_pull_request(repo_id=2**63 - 1, number=2**63 - 1)
    name = RepositoryName(id=ref.repo_id, full_name=ref.repo_full_name)
    (pull,) = await github.list_open(ref.installation_id, name, since=github.now())
    event = found_event(ref.installation_id, a_pull_request_event(repo_id=ref.repo_id).repository, pull)
    assert event.delivery_id == f"sync:{2**63 - 1}:{2**63 - 1}:1771243200"
    assert (event.at, len(event.delivery_id) <= 128) == (github.now(), True)
