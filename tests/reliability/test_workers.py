"""Workers are killed, and stopped and continued, with writes in their hands (rows 1 to 5)."""

from __future__ import annotations

import pytest

from centralbot.domain.outbox import ActionStatus
from tests.reliability.cluster import APIS, WORKERS
from tests.reliability.world import CLOSE, CREATE, ReliableWorld

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_workers_killed_again_and_again_under_load_lose_nothing(world: ReliableWorld) -> None:
    """SIGKILL with comments on their way to GitHub: what was posted is found, what was not is posted by another."""
    fleet = world.fleet
    installed = [await world.install() for _ in range(3)]
    await world.github.act("faults", kind="latency", operation=CREATE, latency_s=0.2)
    async with world.load(*installed, every_s=0.1) as opened:
        for name in WORKERS:
            await world.opened(opened, 10)
            await world.held(installed[0])
            await fleet.kill(name)
            await fleet.meet_worker(fleet.spawn_worker(name))
    await world.settled()
    await world.repaired()
    assert await world.unasked(opened) == []


@pytest.mark.parametrize("after_effect", [True, False])
async def test_a_worker_killed_around_its_post_leaves_one_comment(world: ReliableWorld, after_effect: bool) -> None:
    """Before GitHub has it, or between GitHub's answer and the result: the other worker sees what there is."""
    fleet = world.fleet
    installed = await world.install()
    await world.settled()
    fault = {"kind": "hang", "operation": CREATE, "after_effect": after_effect, "count": 1}
    await world.github.act("faults", installation_id=installed.id, **fault)
    number = await world.open(installed.repository)
    held = await world.held(installed)
    if after_effect:
        await world.shows(installed.repository, number, "open: asked")
    await fleet.kill(str(held.worker_id))
    await world.settled()
    await fleet.meet_worker(fleet.spawn_worker(str(held.worker_id)))
    operations = await world.github.operations(installed.id)
    assert operations.count(CREATE) == (1 if after_effect else 2)
    assert await world.unasked([(installed.repository, number)]) == []


async def test_an_answer_lost_after_the_effect_is_looked_for(world: ReliableWorld) -> None:
    """502 or a cut connection on the comment, on the close and on the close's comment: each is done once."""
    installed = [await world.install(window_s=1) for _ in range(2)]
    for one, kind in zip(installed, ("status", "drop"), strict=True):
        fault = {"kind": kind, "after_effect": True, "count": 1, "installation_id": one.id}
        await world.github.act("faults", operation=CREATE, **fault)
        await world.github.act("faults", operation=CREATE, skip=1, **fault)
        await world.github.act("faults", operation=CLOSE, **fault)
    pulls = [(one.repository, await world.open(one.repository)) for one in installed]
    for pull in pulls:
        await world.shows(*pull, "closed by bot: asked + told why")
    await world.settled()
    tried = [(action.status, action.attempts > 1) for one in installed for action in await world.actions(one)]
    assert tried == [(ActionStatus.DONE, True)] * 4


async def test_a_worker_stopped_past_its_lease_posts_nothing(world: ReliableWorld) -> None:
    """It was waiting for its token; meanwhile its lease ran out and another worker has spoken."""
    installed = await world.install()
    await world.settled()
    await world.bad_tokens(installed)
    number = await world.open(installed.repository)
    await world.refused(installed, CREATE)
    held = await world.held(installed)
    async with world.fleet.frozen(str(held.worker_id)):
        await world.shows(installed.repository, number, "open: asked")
    await world.lost_its_claim(held)
    assert await world.unasked([(installed.repository, number)]) == []


async def test_a_worker_stopped_past_its_lease_does_not_close_who_has_passed(world: ReliableWorld) -> None:
    """Another worker has closed it, its author passed late and is open again: the first one's close does not follow."""
    fleet, (slow, other) = world.fleet, WORKERS
    await fleet.stop_one(other)
    await fleet.replace(slow, CENTRALBOT_WRITE_INTERVAL_S="1.5")
    installed = await world.install(window_s=1)
    number = await world.open(installed.repository)
    await world.shows(installed.repository, number, "open: asked + told why")  # the close waits for its turn
    held = await world.held(installed)
    async with fleet.frozen(slow):
        await fleet.meet_worker(fleet.spawn_worker(other))
        await world.shows(installed.repository, number, "closed by bot: asked + told why")
        challenge = await world.challenge(installed.repo_id, number)
        await world.backend.verdicts.verify(challenge.id, actor=f"github:{challenge.author_id}")
        await world.settled()
        passed = await world.seen(installed.repository, number)
    await world.lost_its_claim(held)
    await world.settled()
    await fleet.replace(slow)
    assert (passed.split(":")[0], await world.seen(installed.repository, number)) == ("open", passed)


async def test_leases_that_run_out_race_the_results(world: ReliableWorld) -> None:
    """Both APIs stand still with results on their way while the sweeper takes the leases back; then all go on."""
    fleet = world.fleet
    installed = [await world.install() for _ in range(12)]
    await world.settled()
    await world.github.act("faults", kind="latency", operation=CREATE, latency_s=0.5)
    opened = [(one.repository, await world.open(one.repository)) for one in installed]
    for one in installed:
        await world.held(one)
    async with fleet.frozen(*APIS):
        await world.leases_out()
    await world.settled()
    assert await world.unasked(opened) == []
