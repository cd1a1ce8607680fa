"""The sweeper, then the backend, were away for long (rows 10 and 40)."""

from __future__ import annotations

import itertools
from datetime import datetime

import psycopg
import pytest

from centralbot.domain.verdicts import CLOSE_SPACING_S
from tests.e2e.world import Installed
from tests.reliability.cluster import APIS
from tests.reliability.world import CREATE, ReliableWorld

pytestmark = pytest.mark.asyncio(loop_scope="session")

OVERDUE = 2_500
"""More than a sweeper takes in one batch."""
COPY = """
INSERT INTO pr_challenges SELECT (jsonb_populate_record(c, jsonb_build_object(
    'id', gen_random_uuid(), 'pr_number', c.pr_number + n, 'pull_request_id', c.pull_request_id + n,
    'deadline_at', now() - interval '7 days'))).*
  FROM pr_challenges c, generate_series(1, %s) n WHERE c.repo_id = %s
"""
QUEUED = """
SELECT run_at FROM bot_action_queue WHERE repo_id = %s AND action_type = 'CLOSE_PR_WITH_COMMENT' ORDER BY run_at
"""


async def test_after_a_week_without_a_sweeper_closes_are_paced(world: ReliableWorld) -> None:
    """Two sweepers at once, batch by batch: one close after the other in a repository, and none without its notice."""
    fleet = world.fleet
    overdue, unnoticed = await world.install(window_s=1), await world.install(window_s=1)
    await fleet.stop_one("sweeper")
    fault = {"kind": "status", "operation": CREATE, "status": 502, "installation_id": unnoticed.id}
    await world.github.act("faults", **fault)
    pulls = [(one.repository, await world.open(one.repository)) for one in (overdue, unnoticed)]
    await world.shows(*pulls[0], "open: asked")
    await world.tried(unnoticed, 1)
    runs = await closes_of_many(world, overdue)
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(runs)]
    quiet = await world.seen(*pulls[1])
    await world.github.clear_faults()
    for pull in pulls:
        await world.shows(*pull, "closed by bot: asked + told why")
    await fleet.stop_one("sweeper-2")
    assert (len(runs), min(gaps) > CLOSE_SPACING_S / 2, quiet) == (OVERDUE, True, "open: no comment")


async def closes_of_many(world: ReliableWorld, overdue: Installed) -> list[datetime]:
    """When the closes of so many that were due are to run; they are pruned, since GitHub knows of none of them."""
    with psycopg.connect(world.server.dsn, autocommit=True) as store:
        pause = "UPDATE github_installations SET paused_until = now() + %s::interval WHERE installation_id = %s"
        store.execute(pause, ("1 hour", overdue.id))
        store.execute(
            "UPDATE pr_challenges SET deadline_at = now() - interval '8 days' WHERE repo_id = %s", (overdue.repo_id,)
        )
        store.execute(COPY, (OVERDUE, overdue.repo_id))
        for name in ("sweeper", "sweeper-2"):
            world.fleet.spawn_sweeper(name)

        async def probe() -> bool:
            return len(store.execute(QUEUED, (overdue.repo_id,)).fetchall()) >= OVERDUE

        await world.fleet.until("all to be queued", probe)
        runs = [row[0] for row in store.execute(QUEUED, (overdue.repo_id,)).fetchall()]
        of_copies = "repo_id = %s AND pr_number > (SELECT min(pr_number) FROM pr_challenges WHERE repo_id = %s)"
        for table in ("bot_action_queue", "bot_actions", "pr_challenges"):
            store.execute(f"DELETE FROM {table} WHERE {of_copies}", (overdue.repo_id, overdue.repo_id))
        store.execute(pause, ("0", overdue.id))
    return runs[:OVERDUE]


async def test_what_github_could_not_deliver_is_sent_again_by_a_sync(world: ReliableWorld) -> None:
    """Both APIs were away: each failed delivery is found by its GUID and sent again once; a second sync finds none."""
    fleet = world.fleet
    installed = [await world.install() for _ in range(2)]
    await world.settled()
    for name in APIS:
        await fleet.stop_one(name)
    opened = [(one.repository, await world.open(one.repository)) for one in installed for _ in range(3)]
    await fleet.until("the failures", lambda: world.github.is_idle())
    failed = await world.failed()
    for name in APIS:
        await fleet.meet_api(fleet.spawn_api(name))
    reports = [await world.repaired() for _ in range(2)]
    assert (len(failed), [len(one["redelivered"]) for one in reports]) == (len(opened), [len(opened), 0])
    assert await world.unasked(opened) == []
