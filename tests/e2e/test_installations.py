"""Installations come, change and go; one fleet serves them all."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.installation import InstallationStatus
from tests.e2e.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_repositories_are_gated_from_when_they_are_added_until_they_are_removed(world: World) -> None:
    """What was pending in a removed one is called off."""
    installed = await world.install("first")
    second = f"{installed.org}/second"
    installed.repositories[second] = repo_id = await world.add_repository(second)
    await world.github.act("add_repositories", installation_id=installed.id, repositories=[repo_id])
    await world.connected(repo_id, True)
    number = await world.asked(installed, second)
    await world.github.act("remove_repositories", installation_id=installed.id, repositories=[repo_id])
    await world.connected(repo_id, False)
    challenge = await world.becomes(repo_id, number, ChallengeStatus.CANCELED)
    assert challenge.reason == "REPOSITORY_REMOVED"


async def test_a_deleted_installation_takes_everything_with_it(world: World) -> None:
    """Its challenges are canceled, its repositories out."""
    installed = await world.install()
    number = await world.asked(installed)
    await world.github.act("uninstall", installation_id=installed.id)
    challenge = await world.becomes(installed.repo_id, number, ChallengeStatus.CANCELED)
    statuses = {one.id: one.status for one in await world.backend.store.repositories.installations()}
    assert (challenge.reason, statuses[installed.id]) == ("INSTALLATION_DELETED", InstallationStatus.DELETED)


async def test_switching_from_all_to_selected_repositories_drops_the_others(world: World) -> None:
    """Though GitHub's list of removed ones is empty: the bot asks for the full list."""
    installed = await world.install("kept", "dropped", selection="all")
    kept, dropped = installed.repositories
    numbers = [await world.asked(installed, name) for name in (kept, dropped)]
    await world.github.act("select_repositories", installation_id=installed.id, repositories=[kept])
    await world.connected(installed.repositories[dropped], False)
    await world.becomes(installed.repositories[dropped], numbers[1], ChallengeStatus.CANCELED)
    record = await world.backend.store.repositories.get(installed.repositories[kept])
    still = await world.challenge(installed.repositories[kept], numbers[0])
    assert record is not None
    assert (record.connected, still.status) == (True, ChallengeStatus.PENDING)


async def test_one_fleet_serves_many_unrelated_installations(world: World) -> None:
    """Each pull request gets its own installation's one comment."""
    installations = [await world.install() for _ in range(30)]
    numbers = await asyncio.gather(*(world.asked(one) for one in installations))
    await world.settled()
    shown = [await world.seen(one.repository, number) for one, number in zip(installations, numbers, strict=True)]
    calls = [await world.github.operations(one.id) for one in installations]
    assert (shown, calls) == (
        ["open: asked"] * 30,
        [["repos/get-collaborator-permission-level", "issues/create-comment"]] * 30,
    )


@pytest.mark.parametrize(
    "path",
    [
        "/internal/v1/github/events/pull-request",
        "/internal/v1/bot-actions/claim",
        "/internal/v2/bot-actions/deadline-check",
        "/internal/v2/challenges/00000000-0000-0000-0000-000000000000/deadline-check",
        "/api/v1/bot-clients",
        "/api/v1/bot-clients/1/keys",
        "/internal/v2/bot-clients/1/bindings",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_tenant_bots_had_is_not_there(world: World, method: str, path: str) -> None:
    """No such path."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.request(method, f"{world.fleet.api_url}{path}", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
