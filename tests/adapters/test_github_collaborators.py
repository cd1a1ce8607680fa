"""What an account may do, as GitHub words it: by a scripted GitHub and by the simulated one."""

import httpx
import pytest

from centralbot.domain.facts import Permission
from centralbot.ports.github import AuthorPermission, GitHubRateLimited, GitHubRefused, GitHubUnavailable
from github_simulator import Fault, FaultKind
from tests.adapters.test_github_client import REF, Script, github, said
from tests.doubles.memory.clock import ManualClock
from tests.github_worlds import as_described, simulated

PATH = "/repositories/999/collaborators/mona/permission"
BY_NAME = "/repos/org/repo/collaborators/mona/permission"
OPERATION = "repos/get-collaborator-permission-level"


@pytest.fixture
def script() -> Script:
    return Script(ManualClock())


def told(**words: object) -> httpx.Response:
    return httpx.Response(200, json=words)


@pytest.mark.parametrize(
    ("permission", "role_name", "expected"),
    [
        ("write", "maintain", Permission.MAINTAIN),
        ("read", "triage", Permission.TRIAGE),
        ("write", "write", Permission.WRITE),
        ("none", "none", Permission.NONE),
        ("write", "Release manager", Permission.WRITE),
        ("read", "Maintain", Permission.READ),
        ("pull-and-more", "admin", Permission.ADMIN),
    ],
)
async def test_the_role_decides_where_it_is_githubs_own(
    script: Script, permission: str, role_name: str, expected: Permission
) -> None:
    """``permission`` folds two roles into others, and is the base of a custom one."""
    script.on(PATH, told(permission=permission, role_name=role_name, user=None))
    async with github(script) as app:
        found = await app.collaborators.permission(REF, "mona")
    assert (found, script.paths) == (AuthorPermission(permission=expected, role=role_name), [f"GET {PATH}"])


@pytest.mark.parametrize("words", [{}, {"role_name": None}, {"role_name": ""}])
async def test_an_old_server_tells_no_role(script: Script, words: dict[str, object]) -> None:
    """Then the permission is the role's name."""
    script.on(PATH, told(permission="write", **words))
    async with github(script) as app:
        found = await app.collaborators.permission(REF, "mona")
    assert found == AuthorPermission(permission=Permission.WRITE, role="write")


@pytest.mark.parametrize("words", [{"permission": "owner", "role_name": "owner"}, {"role_name": "admin"}, {}])
async def test_what_cannot_be_read_is_unknown_and_not_none(script: Script, words: dict[str, str]) -> None:
    """Neither word is one of GitHub's, or the documented one is missing: BAD_ANSWER."""
    script.on(PATH, told(**words))
    async with github(script) as app:
        with pytest.raises(GitHubUnavailable) as error:
            await app.collaborators.permission(REF, "mona")
    assert error.value.reason == "BAD_ANSWER"


@pytest.mark.parametrize(
    ("login", "in_the_path"),
    [
        ("renovate[bot]", "renovate%5Bbot%5D"),
        ("mona_corp", "mona_corp"),
        ("../../../user", "..%2F..%2F..%2Fuser"),
        ("mona/permission?x=1#y", "mona%2Fpermission%3Fx%3D1%23y"),
        ("100%2e", "100%252e"),
        ("mön a", "m%C3%B6n%20a"),
    ],
)
async def test_a_login_stays_one_part_of_the_path(script: Script, login: str, in_the_path: str) -> None:
    """Whatever it is made of: it comes from a webhook."""
    path = f"/repositories/999/collaborators/{in_the_path}/permission"
    script.on(path, told(permission="read", role_name="read", user=None))
    async with github(script) as app:
        await app.collaborators.permission(REF, login)
    assert script.paths == [f"GET {path}"]


@pytest.mark.parametrize("login", ["", ".", ".."])
async def test_what_would_change_the_path_is_not_asked_for(script: Script, login: str) -> None:
    """No encoding helps against these: servers resolve ``%2e`` as well."""
    async with github(script) as app:
        with pytest.raises(GitHubRefused) as refused:
            await app.collaborators.permission(REF, login)
    assert (refused.value.reason, script.paths) == ("NOT_FOUND", [])


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (404, "mona is not a user", "NOT_FOUND"),
        (403, "Resource not accessible by integration", "FORBIDDEN"),
        (403, "Must have push access to view collaborator permission.", "FORBIDDEN"),
    ],
)
async def test_a_refusal_says_why(script: Script, status: int, message: str, reason: str) -> None:
    """With GitHub's words."""
    script.on(PATH, said(status, message))
    script.on(BY_NAME, said(status, message))  # asked after a 404 by id
    async with github(script) as app:
        with pytest.raises(GitHubRefused) as refused:
            await app.collaborators.permission(REF, "mona")
    assert (refused.value.reason, refused.value.message, refused.value.status) == (reason, message, status)


async def test_a_limit_is_no_refusal(script: Script) -> None:
    """A 403 with ``retry-after`` rests the installation."""
    script.on(PATH, said(403, "You have exceeded a secondary rate limit", retry_after="30"))
    async with github(script) as app:
        with pytest.raises(GitHubRateLimited):
            await app.collaborators.permission(REF, "mona")


async def test_asking_waits_for_no_turn_to_write(script: Script) -> None:
    """Three in a row take no time, and each asks anew."""
    script.on(PATH, told(permission="read", role_name="read"), told(permission="admin", role_name="admin"))
    async with github(script) as app:
        roles = [(await app.collaborators.permission(REF, "mona")).role for _ in range(3)]
    assert (roles, script.clock.monotonic_s(), len(script.paths)) == (["read", "admin", "admin"], 0.0, 3)


async def test_a_repository_that_took_over_the_name_is_not_asked() -> None:
    """Its answer would pass for ours, as it names no repository; over real HTTP, with one request."""
    requests: list[httpx.Request] = []
    async with simulated(requests.append) as world:
        ref = world.open()
        world.grant(ref, "mona", "read")
        world.world.rename_repository(ref.repo_id, "new-name")
        world.world.add_repositories(world.installation_id, [ref.repo_full_name])
        world.world.set_collaborator(ref.repo_full_name, "mona", "admin")
        found = await world.collaborators.permission(ref, "mona")
        asked = world.simulator.requests.by_operation[OPERATION]
    for sent in requests:
        as_described(sent)
    assert (world.world.repository(ref.repo_full_name).id != ref.repo_id, found.role, asked) == (True, "read", 1)


async def test_without_the_permission_for_metadata_it_is_forbidden() -> None:
    """FORBIDDEN, as of any other operation; and a 502 on the way is unknown."""
    async with simulated(lambda _: None) as world:
        ref = world.open()
        world.world.add_user("mona")
        world.simulator.faults.add(Fault(kind=FaultKind.STATUS, operation=OPERATION, count=1))
        with pytest.raises(GitHubUnavailable) as unavailable:
            await world.collaborators.permission(ref, "mona")
        world.world.set_permissions(world.installation_id, {"pull_requests": "write"})
        with pytest.raises(GitHubRefused) as refused:
            await world.collaborators.permission(ref, "mona")
    assert (unavailable.value.reason, refused.value.reason) == ("HTTP_502", "FORBIDDEN")
