"""What every GitHub behind the port ``OpenPullRequests`` does: the one in memory, and the real client over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest

from centralbot.domain.events import GHOST_USER_ID, AuthorAssociation, UserType
from centralbot.ports.github import (
    GitHubInstallationUnavailable,
    GitHubRefused,
    OpenPullRequest,
    PullRequestRef,
    RepositoryName,
)
from tests.github_worlds import MemoryWorld, SimulatorWorld, World, as_described, simulated


@pytest.fixture
def requests() -> list[httpx.Request]:
    """What the real client sent."""
    return []


@pytest.fixture(params=["memory", "simulator"])
async def world(request: pytest.FixtureRequest, requests: list[httpx.Request]) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    async with simulated(requests.append) as over_http:
        yield over_http
    for sent in requests:
        if not sent.url.path.startswith("/repositories/"):  # where GitHub itself redirects to; not described
            as_described(sent)


@pytest.fixture
async def over_http(requests: list[httpx.Request]) -> AsyncIterator[SimulatorWorld]:
    async with simulated(requests.append) as world:
        yield world


async def listed(world: World, ref: PullRequestRef, since: datetime | None = None) -> Sequence[OpenPullRequest]:
    name = RepositoryName(id=ref.repo_id, full_name=ref.repo_full_name)
    first = since or world.clock.now() - timedelta(days=7)
    return await world.open_pull_requests.list_open(ref.installation_id, name, since=first)


async def test_an_open_pull_request_is_listed_with_what_its_event_would_tell(world: World) -> None:
    """Who wrote it, what it is at, when it came, and its labels."""
    opened_at = world.clock.now()
    ref = world.open(draft=True)
    world.label(ref, "triage")
    (found,) = await listed(world, ref)
    assert (found.number, found.draft, found.labels, len(found.head_sha)) == (ref.number, True, ("triage",), 40)
    assert found.author is not None
    assert (found.author.login, found.author_type) == ("contrib", UserType.USER)
    assert (found.author_association, found.created_at) == (AuthorAssociation.NONE, opened_at)
    assert (found.updated_at, found.html_url.endswith(f"/{ref.repo_full_name}/pull/{ref.number}")) == (opened_at, True)


async def test_what_is_no_longer_open_is_not_listed(world: World) -> None:
    """Closed or merged."""
    refs = [world.open() for _ in range(3)]
    world.merge(refs[0])
    await world.pull_requests.close(refs[1])
    assert [pull.number for pull in await listed(world, refs[0])] == [refs[2].number]


async def test_all_pages_are_read_newest_first(world: World) -> None:
    """250 of them."""
    refs = [world.open() for _ in range(250)]
    found = [pull.number for pull in await listed(world, refs[0])]
    assert found == [ref.number for ref in reversed(refs)]


async def test_reading_ends_with_the_page_that_reaches_too_far_back(world: World) -> None:
    """All that is new enough comes; of 250 older ones only those on its page."""
    old = [world.open() for _ in range(250)]
    world.clock.advance(3600)
    new = [world.open() for _ in range(30)]
    found = await listed(world, old[0], world.clock.now() - timedelta(minutes=1))
    assert [pull.number for pull in found[:30]] == [ref.number for ref in reversed(new)]
    assert len(found) == 100


async def test_a_deleted_author_is_the_ghost_or_nobody(world: World) -> None:
    """The account is gone; the pull request is there."""
    ref = world.open()
    world.lose_author(ref)
    (found,) = await listed(world, ref)
    assert found.author is None or found.author.id == GHOST_USER_ID


async def test_a_repository_that_is_not_there_is_refused(world: World) -> None:
    """NOT_FOUND."""
    ref = world.open()
    with pytest.raises(GitHubRefused) as refused:
        await listed(world, replace(ref, repo_id=5, repo_full_name="org/none"))
    assert refused.value.reason == "NOT_FOUND"


async def test_a_suspended_installation_is_not_listed(world: World) -> None:
    """SUSPENDED, as with every call."""
    ref = world.open()
    world.suspend(suspended=True)
    with pytest.raises(GitHubInstallationUnavailable) as refused:
        await listed(world, ref)
    assert refused.value.reason == "SUSPENDED"


async def test_a_renamed_repository_is_found_by_its_id(over_http: SimulatorWorld) -> None:
    """Under its old name, on every page, and also when the old name was taken by another."""
    refs = [over_http.open() for _ in range(150)]
    over_http.world.rename_repository(refs[0].repo_id, "renamed")
    after_rename = await listed(over_http, refs[0])
    over_http.world.add_repositories(over_http.installation_id, ["org/repo-999"])
    over_http.world.open_pull_request("org/repo-999", "contrib")
    fresh = await listed(over_http, refs[0])
    assert [len(after_rename), len(fresh)] == [150, 150]


async def test_a_name_that_was_taken_by_another_repository_is_noticed(over_http: SimulatorWorld) -> None:
    """What is listed under it belongs elsewhere: it is asked for again by id."""
    ref = over_http.open()
    over_http.world.rename_repository(ref.repo_id, "renamed")
    over_http.world.add_repositories(over_http.installation_id, ["org/repo-999"])
    stranger = [over_http.world.open_pull_request("org/repo-999", "somebody") for _ in range(2)]
    found = await listed(over_http, ref)
    assert ([pull.number for pull in found], len(stranger)) == ([ref.number], 2)
    assert found[0].html_url.endswith("/org/renamed/pull/1")
