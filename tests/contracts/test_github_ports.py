"""What every GitHub behind the ports does: the one in memory, and the real client over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from centralbot.domain.comments import with_marker
from centralbot.domain.facts import Permission
from centralbot.ports.github import (
    AuthorPermission,
    GitHubInstallationUnavailable,
    GitHubRefused,
    GitHubUnavailable,
    PullRequestRef,
)
from tests.github_worlds import MemoryWorld, World, as_described, simulated

MARKER = "centralbot:gate:0190"
GATE = with_marker("Please verify", MARKER)


@pytest.fixture(params=["memory", "simulator"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    requests: list[httpx.Request] = []
    async with simulated(requests.append) as over_http:
        yield over_http
    for sent in requests:
        as_described(sent)


async def test_the_state_is_what_github_says_now(world: World) -> None:
    """Open, then closed by a human, each time as it is."""
    ref = world.open(draft=True)
    before = await world.pull_requests.get(ref)
    world.merge(ref)
    after = await world.pull_requests.get(ref)
    assert (before.is_open, before.merged, before.draft, before.closed_at) == (True, False, True, None)
    assert (after.is_open, after.merged, after.closed_at) == (False, True, world.clock.now())
    assert (before.author_id is not None, len(before.head_sha)) == (True, 40)


async def test_what_is_not_there_is_refused(world: World) -> None:
    """No such pull request, no such repository: NOT_FOUND, on reading and on writing."""
    ref = world.open()
    strangers = [
        PullRequestRef(
            installation_id=ref.installation_id, repo_id=ref.repo_id, repo_full_name=ref.repo_full_name, number=77
        ),
        PullRequestRef(installation_id=ref.installation_id, repo_id=5, repo_full_name="org/none", number=ref.number),
    ]
    reasons = []
    for stranger in strangers:
        for call in (world.pull_requests.get, world.pull_requests.close):
            with pytest.raises(GitHubRefused) as refused:
                await call(stranger)
            reasons.append(refused.value.reason)
        with pytest.raises(GitHubRefused) as refused:
            await world.comments.create(stranger, GATE)
        reasons.append(refused.value.reason)
    assert reasons == ["NOT_FOUND"] * 6


async def test_closing_and_reopening(world: World) -> None:
    """Closed, closed again without an error, and open once more."""
    ref = world.open()
    await world.pull_requests.close(ref)
    await world.pull_requests.close(ref)
    closed = await world.pull_requests.get(ref)
    await world.pull_requests.reopen(ref)
    assert (closed.is_open, closed.merged, (await world.pull_requests.get(ref)).is_open) == (False, False, True)


async def test_closing_what_was_merged_changes_nothing(world: World) -> None:
    """A merge that came first is no error and stays."""
    ref = world.open()
    world.merge(ref)
    await world.pull_requests.close(ref)
    assert (await world.pull_requests.get(ref)).merged


async def test_reopening_can_be_impossible(world: World) -> None:
    """Merged, or without its branch: CANNOT_REOPEN."""
    merged, branchless = world.open(), world.open()
    world.merge(merged)
    world.lose_branch(branchless)
    reasons = []
    for ref in (merged, branchless):
        with pytest.raises(GitHubRefused) as refused:
            await world.pull_requests.reopen(ref)
        reasons.append(refused.value.reason)
    assert reasons == ["CANNOT_REOPEN"] * 2


async def test_a_comment_is_made_found_and_replaced(world: World) -> None:
    """Posted once, found by its marker and by its id, replaced in place."""
    ref = world.open()
    comment_id = await world.comments.create(ref, GATE)
    found = [
        await world.comments.find_own(ref, MARKER),
        await world.comments.find_own(ref, MARKER, comment_id=comment_id),
        await world.comments.find_own(ref, "centralbot:gate:other"),
        await world.comments.find_own(ref, "centralbot:gate:019"),
    ]
    replaced = await world.comments.update(ref, comment_id, with_marker("Thanks", MARKER))
    assert (found, replaced) == ([comment_id, comment_id, None, None], True)
    assert world.bodies(ref) == [with_marker("Thanks", MARKER)]


async def test_our_comment_is_found_behind_250_others(world: World) -> None:
    """Every page is read."""
    ref = world.open()
    for number in range(250):
        world.human_comments(ref, f"comment {number}")
    comment_id = await world.comments.create(ref, GATE)
    assert await world.comments.find_own(ref, MARKER) == comment_id


async def test_a_forged_marker_is_ignored(world: World) -> None:
    """Somebody else's comment with our marker is never ours, not even by its id."""
    ref = world.open()
    forged = world.human_comments(ref, GATE)
    before = [await world.comments.find_own(ref, MARKER), await world.comments.find_own(ref, MARKER, comment_id=forged)]
    comment_id = await world.comments.create(ref, GATE)
    after = await world.comments.find_own(ref, MARKER, comment_id=forged)
    assert (before, after) == ([None, None], comment_id)


async def test_a_comment_of_another_pull_request_is_not_this_ones(world: World) -> None:
    """An id that belongs elsewhere is not taken on trust."""
    here, there = world.open(), world.open()
    elsewhere = await world.comments.create(there, GATE)
    assert await world.comments.find_own(here, MARKER, comment_id=elsewhere) is None


async def test_a_deleted_comment_is_gone(world: World) -> None:
    """Deleted by a human: not found by id or marker, not replaced; a second one of ours is found in its place."""
    ref = world.open()
    comment_id = await world.comments.create(ref, GATE)
    world.deletes(ref, comment_id)
    lost = await world.comments.find_own(ref, MARKER, comment_id=comment_id)
    replaced = await world.comments.update(ref, comment_id, GATE)
    again = await world.comments.create(ref, GATE)
    assert (lost, replaced) == (None, False)
    assert await world.comments.find_own(ref, MARKER, comment_id=comment_id) == again


async def test_a_locked_pull_request_takes_no_comment(world: World) -> None:
    """LOCKED, with GitHub's words."""
    ref = world.open()
    world.lock(ref)
    with pytest.raises(GitHubRefused, match="locked") as refused:
        await world.comments.create(ref, GATE)
    assert (refused.value.reason, (await world.pull_requests.get(ref)).locked) == ("LOCKED", True)


async def test_an_archived_repository_is_read_only(world: World) -> None:
    """ARCHIVED for every write, while reading goes on."""
    ref = world.open()
    comment_id = await world.comments.create(ref, GATE)
    world.archive(ref)
    reasons = []
    for write in (
        world.comments.create(ref, GATE),
        world.comments.update(ref, comment_id, GATE),
        world.pull_requests.close(ref),
        world.pull_requests.reopen(ref),
    ):
        with pytest.raises(GitHubRefused) as refused:
            await write
        reasons.append(refused.value.reason)
    assert (reasons, (await world.pull_requests.get(ref)).is_open) == (["ARCHIVED"] * 4, True)


async def test_what_is_not_ready_any_more_is_not_written(world: World) -> None:
    """Every write asks before it is sent; what that raises comes through, and nothing has changed."""
    ref = world.open()
    comment_id = await world.comments.create(ref, GATE)

    def lost() -> None:
        raise InterruptedError

    for write in (
        world.comments.create(ref, GATE, ready=lost),
        world.comments.update(ref, comment_id, "other", ready=lost),
        world.pull_requests.close(ref, ready=lost),
        world.pull_requests.reopen(ref, ready=lost),
    ):
        with pytest.raises(InterruptedError):
            await write
    assert (world.bodies(ref), (await world.pull_requests.get(ref)).is_open) == ([GATE], True)


@pytest.mark.parametrize("token_cached", [True, False])
async def test_a_suspended_installation_rests_and_comes_back(world: World, token_cached: bool) -> None:
    """SUSPENDED, whether a token was at hand or not; unsuspended it works again."""
    ref = world.open()
    if token_cached:
        await world.pull_requests.get(ref)
    world.suspend(suspended=True)
    with pytest.raises(GitHubInstallationUnavailable) as error:
        await world.comments.create(ref, GATE)
    listed = [installation.suspended for installation in await world.installations.list_installations()]
    world.suspend(suspended=False)
    await world.comments.create(ref, GATE)
    assert (error.value.reason, error.value.pause_s > 0, listed) == ("SUSPENDED", True, [True])


async def test_an_installation_that_is_gone_is_no_actions_fault(world: World) -> None:
    """No such installation: INSTALLATION_NOT_FOUND, and the list no longer shows it."""
    ref = world.open()
    world.uninstall()
    with pytest.raises(GitHubInstallationUnavailable) as error:
        await world.comments.create(ref, GATE)
    assert (error.value.reason, list(await world.installations.list_installations())) == ("INSTALLATION_NOT_FOUND", [])


async def test_a_502_after_the_effect_is_unknown_then_found(world: World) -> None:
    """GitHub made the comment and said 502: it is not sent again, and looking finds it."""
    ref = world.open()
    world.fail_create_after_effect()
    with pytest.raises(GitHubUnavailable) as error:
        await world.comments.create(ref, GATE)
    assert (error.value.reason, world.create_requests(), world.bodies(ref)) == ("HTTP_502", 1, [GATE])
    assert await world.comments.find_own(ref, MARKER) is not None


async def test_every_repository_is_listed(world: World) -> None:
    """All pages of an installation's repositories."""
    world.add_repositories(205)
    ref = world.open()
    repositories = await world.installations.list_repositories(ref.installation_id)
    names = {repository.full_name for repository in repositories}
    assert names == {ref.repo_full_name} | {f"org/more-{number}" for number in range(205)}


async def test_installations_tell_their_account(world: World) -> None:
    """Id, account and selection, as GitHub lists them."""
    ref = world.open()
    (found,) = await world.installations.list_installations()
    shown = (found.id, found.account_login, found.account_type, found.repository_selection, found.suspended)
    assert shown == (ref.installation_id, "org", "Organization", "selected", False)


async def test_the_app_tells_what_it_may_do(world: World) -> None:
    """Its permissions and the events it gets."""
    app = await world.installations.get_app()
    assert (app.slug, dict(app.permissions)) == ("centralbot", {"metadata": "read", "pull_requests": "write"})
    assert app.events == ("pull_request", "repository")


@pytest.mark.parametrize("permission", Permission)
async def test_every_role_of_github_is_told_apart(world: World, permission: Permission) -> None:
    """Maintain and triage too, however the login is written."""
    ref = world.open()
    world.grant(ref, "mona", permission.value)
    expected = AuthorPermission(permission=permission, role=permission.value)
    assert [expected] * 2 == [await world.collaborators.permission(ref, login) for login in ("mona", "Mona")]


@pytest.mark.parametrize("base", [Permission.READ, Permission.WRITE])
async def test_a_custom_role_counts_as_its_base(world: World, base: Permission) -> None:
    """By the name that its organization gave it."""
    ref = world.open()
    world.grant(ref, "mona", "Release manager", base=base)
    expected = AuthorPermission(permission=base, role="Release manager")
    assert expected == await world.collaborators.permission(ref, "mona")


async def test_everybody_may_read_what_is_public(world: World) -> None:
    """A role elsewhere changes nothing here; one that was taken away is gone at once."""
    ref = world.open()
    world.human_comments(ref, "hello")
    world.grant(ref, "mona", "admin")
    before = await world.collaborators.permission(ref, "mona")
    world.grant(ref, "mona", "read")
    roles = [(await world.collaborators.permission(ref, login)).role for login in ("somebody", "mona")]
    assert (before.role, roles) == ("admin", ["read", "read"])


async def test_an_apps_user_has_a_permission_too(world: World) -> None:
    """``name[bot]`` is a login."""
    ref = world.open()
    world.grant(ref, "renovate[bot]", "write")
    assert (await world.collaborators.permission(ref, "renovate[bot]")).permission is Permission.WRITE


@pytest.mark.parametrize("nobody", ["", ".", "..", "mona"])
async def test_nobody_has_no_permission(world: World, nobody: str) -> None:
    """NOT_FOUND for a deleted account and for what cannot be a login."""
    ref = world.open()
    world.grant(ref, "mona", "admin")
    world.delete_account("mona")
    with pytest.raises(GitHubRefused) as refused:
        await world.collaborators.permission(ref, nobody)
    assert (refused.value.reason, refused.value.status) == ("NOT_FOUND", 404)


async def test_a_permission_is_of_the_repository_with_that_id(world: World) -> None:
    """Whatever name comes with it; of an unknown one there is none."""
    ref = world.open()
    world.grant(ref, "mona", "maintain")
    renamed = await world.collaborators.permission(replace(ref, repo_full_name="org/former"), "mona")
    with pytest.raises(GitHubRefused) as refused:
        await world.collaborators.permission(replace(ref, repo_id=5, repo_full_name="org/unknown"), "mona")
    assert (renamed.permission, refused.value.reason) == (Permission.MAINTAIN, "NOT_FOUND")


async def test_a_suspended_installation_tells_no_permission(world: World) -> None:
    """SUSPENDED: it is the installation's affair, not the author's."""
    ref = world.open()
    world.suspend(suspended=True)
    with pytest.raises(GitHubInstallationUnavailable) as error:
        await world.collaborators.permission(ref, "mona")
    assert error.value.reason == "SUSPENDED"
