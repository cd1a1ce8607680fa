"""Processes die, restart, and are away; nothing is lost and nothing is said twice."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from centralbot.domain.outbox import ActionStatus
from tests.e2e.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_worker_killed_between_githubs_answer_and_the_result_leaves_one_comment(world: World) -> None:
    """When its lease has run out the other worker finds the comment and adopts it."""
    installed = await world.install()
    fault = {"kind": "hang", "after_effect": True, "count": 1, "installation_id": installed.id}
    await world.github.act("faults", operation="issues/create-comment", **fault)
    number = await world.open(installed.repository)
    await world.shows(installed.repository, number, "open: asked")
    (claimed,) = await world.backend.store.actions.search(status=ActionStatus.CLAIMED)
    assert claimed.worker_id is not None
    killed = world.fleet.children.pop(claimed.worker_id)
    del world.fleet.workers[killed.name]
    killed.send(signal.SIGKILL)
    assert await killed.ended() == -signal.SIGKILL
    await world.fleet.hook(next(iter(world.fleet.workers)))
    await world.settled()
    (comment,) = (await world.github.pull(installed.repository, number))["comments"]
    challenge = await world.challenge(installed.repo_id, number)
    await world.fleet.meet_worker(world.fleet.spawn_worker(killed.name))
    assert (challenge.gate_comment_id, challenge.deadline_at is not None) == (comment["id"], True)


async def test_a_fleet_that_was_replaced_goes_on_where_the_old_one_stopped(world: World) -> None:
    """Every process ends with 0 and leaves no file; the new ones need none."""
    fleet = world.fleet
    installed = await world.install()
    number = await world.asked(installed)
    names = list(fleet.workers)
    codes = [await fleet.stop_one(name) for name in (*names, "api")]
    left = [path for name in (*names, "api") for path in (fleet.directory / f"{name}.cwd").iterdir()]
    challenge = await world.challenge(installed.repo_id, number)
    await world.backend.verdicts.verify(challenge.id, actor=f"github:{challenge.author_id}")
    await fleet.meet_api(fleet.spawn_api())
    for name in names:
        await fleet.meet_worker(fleet.spawn_worker(name))
    await fleet.hook(names[0])
    await world.shows(installed.repository, number, "open: verified")
    no_files: list[Path] = []
    assert (codes, left) == ([0, 0, 0], no_files)


async def test_a_webhook_that_never_comes_again_is_made_good_by_a_sync(world: World) -> None:
    """The backend was away, and GitHub has forgotten the delivery: the pull request gets its comment, and only one."""
    fleet = world.fleet
    installed = await world.install()
    await world.settled()
    early = await world.open(installed.repository)
    await world.shows(installed.repository, early, "open: asked")
    await fleet.stop_one("api")
    await world.github.act("pause_delivery")
    await asyncio.sleep(1.1)  # GitHub tells times in whole seconds
    number = await world.open(installed.repository)
    lost = await world.github.act("discard_delivery")
    await world.github.act("resume_delivery")
    await fleet.meet_api(fleet.spawn_api())
    before = await world.seen(installed.repository, number)
    reports = [await world.synced(installed.id) for _ in range(2)]
    await world.shows(installed.repository, number, "open: asked")
    await world.settled()
    gated = [report["pull_requests_gated"] for report in reports]
    assert (lost, before, gated) == (1, "open: no comment", [[f"{installed.repository}#{number}"], []])
    comments = [(await world.github.pull(installed.repository, one))["comments"] for one in (early, number)]
    assert [len(one) for one in comments] == [1, 1]


async def test_a_delivery_while_the_backend_is_away_fails_and_can_be_sent_again(world: World) -> None:
    """GitHub is told 503, never a success before the commit."""
    fleet = world.fleet
    installed = await world.install()
    await world.settled()
    await fleet.stop_one("api")
    number = await world.open(installed.repository)
    lost = await fleet.until("the failure", lambda: world.github.delivery(repository_id=installed.repo_id))
    await fleet.meet_api(fleet.spawn_api())
    before = await world.seen(installed.repository, number)
    await world.github.act("redeliver", delivery_id=lost["id"])
    await world.shows(installed.repository, number, "open: asked")
    assert (lost["status_code"], before) == (503, "open: no comment")
