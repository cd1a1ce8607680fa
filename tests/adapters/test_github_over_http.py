"""The real client against the simulator playing GitHub's bad days, and every request held against OpenAPI."""

from collections.abc import AsyncIterator

import httpx
import pytest

from centralbot.domain.comments import with_marker
from centralbot.ports.github import GitHubInstallationUnavailable, GitHubRateLimited, GitHubRefused, GitHubUnavailable
from github_simulator import Fault, FaultKind
from tests.github_worlds import SimulatorWorld, as_described, simulated

CREATE = "issues/create-comment"
MARKER = "centralbot:gate:0190"
GATE = with_marker("Please verify", MARKER)


@pytest.fixture
async def world() -> AsyncIterator[SimulatorWorld]:
    requests: list[httpx.Request] = []
    async with simulated(requests.append) as over_http:
        yield over_http
    for sent in requests:
        as_described(sent)


def asked(world: SimulatorWorld, operation: str) -> int:
    return world.simulator.requests.by_operation[operation]


async def test_every_operation_is_as_github_describes_it(world: SimulatorWorld) -> None:
    """All that the client can ask, once each; and what a gated and a timed-out pull request cost."""
    ref = world.open()
    comment_id = await world.comments.create(ref, GATE)
    gated = world.simulator.requests.total
    await world.pull_requests.get(ref)
    await world.pull_requests.close(ref)
    await world.comments.create(ref, GATE)
    timed_out = world.simulator.requests.total - gated
    await world.pull_requests.reopen(ref)
    await world.comments.find_own(ref, MARKER, comment_id=comment_id)
    await world.comments.find_own(ref, MARKER)
    await world.comments.update(ref, comment_id, GATE)
    await world.collaborators.permission(ref, "contrib")
    await world.installations.list_installations()
    await world.installations.list_repositories(ref.installation_id)
    await world.installations.list_deliveries(since=world.clock.now())
    with pytest.raises(GitHubRefused):
        await world.installations.redeliver(4_711)
    assert (gated - asked(world, "apps/create-installation-access-token"), timed_out) == (1, 3)


async def test_a_renamed_repository_is_reached_by_every_call(world: SimulatorWorld) -> None:
    """Redirects are followed for reading and for writing; what is said lands on the right pull request."""
    ref = world.open()
    world.world.rename_repository(ref.repo_id, "new-name")
    comment_id = await world.comments.create(ref, GATE)
    found = await world.comments.find_own(ref, MARKER)
    await world.pull_requests.close(ref)
    state = await world.pull_requests.get(ref)
    assert (found, state.is_open, world.bodies(ref)) == (comment_id, False, [GATE])


async def test_a_name_taken_over_by_another_repository_is_not_closed(world: SimulatorWorld) -> None:
    """Reading first finds out, so that closing hits the renamed repository and not the one with its old name."""
    ref = world.open()
    world.world.rename_repository(ref.repo_id, "new-name")
    usurper = world.world.add_repository("org/repo-999")
    world.world.add_repositories(ref.installation_id, [usurper])
    other = world.world.open_pull_request(usurper, "contrib")
    assert (usurper != ref.repo_id, other) == (True, ref.number)
    await world.pull_requests.get(ref)
    await world.pull_requests.close(ref)
    states = [world.world.pull(repo_id, ref.number).state for repo_id in (ref.repo_id, usurper)]
    assert states == ["closed", "open"]


async def test_a_token_revoked_in_mid_batch(world: SimulatorWorld) -> None:
    """One new token, then on."""
    ref = world.open()
    await world.comments.create(ref, GATE)
    world.clock.advance(60)
    world.simulator.credentials.revoke_installation_tokens(ref.installation_id)
    await world.comments.create(ref, GATE)
    assert (asked(world, "apps/create-installation-access-token"), len(world.bodies(ref))) == (2, 2)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_fresh_token_that_is_not_known_everywhere_yet(world: SimulatorWorld, status: int) -> None:
    """Refused three times, tried again after 1, 2 and 3 s, taken."""
    ref = world.open()
    world.simulator.faults.add(Fault(kind=FaultKind.FRESH_TOKEN, status=status, times=3, count=1))
    began = world.clock.monotonic_s()
    await world.comments.create(ref, GATE)
    assert (asked(world, CREATE), world.clock.monotonic_s() - began, world.bodies(ref)) == (4, 6.0, [GATE])


async def test_a_token_refused_for_good_pauses_the_installation(world: SimulatorWorld) -> None:
    """Every token 401: a bounded number of tries, and the installation's error."""
    ref = world.open()
    world.simulator.faults.add(Fault(kind=FaultKind.FRESH_TOKEN, status=401, times=50))
    with pytest.raises(GitHubInstallationUnavailable) as error:
        await world.comments.create(ref, GATE)
    assert (error.value.reason, asked(world, CREATE), world.bodies(ref)) == ("BAD_CREDENTIALS", 5, [])


@pytest.mark.parametrize(
    ("fault", "pause_s"),
    [
        (Fault(kind=FaultKind.SECONDARY_LIMIT, operation=CREATE, status=403, retry_after_s=60, count=1), 60.0),
        (Fault(kind=FaultKind.SECONDARY_LIMIT, operation=CREATE, status=429, retry_after_s=45, count=1), 45.0),
        (Fault(kind=FaultKind.SECONDARY_LIMIT, operation=CREATE, status=403, retry_after_s=None, count=1), 60.0),
        (Fault(kind=FaultKind.SECONDARY_LIMIT, operation=CREATE, status=429, retry_after_s=None, count=1), 60.0),
    ],
)
async def test_a_secondary_limit(world: SimulatorWorld, fault: Fault, pause_s: float) -> None:
    """With or without a header, 403 or 429: the pause that GitHub asks for, nothing sent meanwhile, then on."""
    ref = world.open()
    world.simulator.faults.add(fault)
    for _ in range(3):
        with pytest.raises(GitHubRateLimited) as error:
            await world.comments.create(ref, GATE)
    assert (error.value.pause_s, asked(world, CREATE), world.bodies(ref)) == (pause_s, 1, [])
    world.clock.advance(pause_s)
    await world.comments.create(ref, GATE)
    assert world.bodies(ref) == [GATE]


async def test_the_hourly_budget_used_up(world: SimulatorWorld) -> None:
    """Nothing remains: a pause until the reset."""
    ref = world.open()
    await world.pull_requests.get(ref)
    world.simulator.limits.set_remaining(ref.installation_id, 0, reset_in_s=600)
    with pytest.raises(GitHubRateLimited) as error:
        await world.comments.create(ref, GATE)
    assert error.value.pause_s == 600.0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(kind=FaultKind.STATUS, operation=CREATE, status=502, count=1, after_effect=True), "HTTP_502"),
        (Fault(kind=FaultKind.STATUS, operation=CREATE, status=500, count=1, after_effect=True), "HTTP_500"),
        (Fault(kind=FaultKind.DROP, operation=CREATE, count=1, after_effect=True), "NETWORK"),
    ],
)
async def test_an_answer_lost_after_the_effect(world: SimulatorWorld, fault: Fault, reason: str) -> None:
    """The comment is there and GitHub says otherwise: sent once, outcome unknown, found by looking."""
    ref = world.open()
    world.simulator.faults.add(fault)
    with pytest.raises(GitHubUnavailable) as error:
        await world.comments.create(ref, GATE)
    assert (error.value.reason, world.bodies(ref)) == (reason, [GATE])
    assert await world.comments.find_own(ref, MARKER) is not None


async def test_a_missing_permission_is_refused_for_good(world: SimulatorWorld) -> None:
    """FORBIDDEN, with GitHub's words; not mistaken for a limit or a suspension."""
    ref = world.open()
    await world.pull_requests.get(ref)
    world.clock.advance(60)
    world.world.set_permissions(ref.installation_id, {"metadata": "read", "pull_requests": "read"})
    with pytest.raises(GitHubRefused, match="Resource not accessible") as error:
        await world.comments.create(ref, GATE)
    assert (error.value.reason, asked(world, CREATE)) == ("FORBIDDEN", 5)


async def test_a_permission_granted_later_is_noticed_at_once(world: SimulatorWorld) -> None:
    """A token keeps the permissions that it was minted with, and would be kept for an hour."""
    ref = world.open()
    granted = dict(world.world.installation(ref.installation_id).permissions)
    world.world.set_permissions(ref.installation_id, {"metadata": "read", "pull_requests": "read"})
    with pytest.raises(GitHubRefused):
        await world.comments.create(ref, GATE)
    world.clock.advance(60)
    world.world.set_permissions(ref.installation_id, granted)
    await world.comments.create(ref, GATE)
    assert (asked(world, "apps/create-installation-access-token"), world.bodies(ref)) == (2, [GATE])


async def test_the_skew_of_our_clock_is_seen(world: SimulatorWorld) -> None:
    """GitHub's Date six minutes ahead of us: skew -360 s, and signing in still works."""
    world.simulator.faults.add(Fault(kind=FaultKind.DATE_SKEW, skew_s=360.0))
    await world.pull_requests.get(world.open())
    assert world.app.clock_skew_s == -360.0
