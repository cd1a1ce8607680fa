"""Processes are replaced, and keys and secrets changed, while deliveries come in (rows 45 and 46)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

import pytest

from tests.reliability.cluster import APIS, WORKERS
from tests.reliability.world import Pull, ReliableWorld

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def replaced(world: ReliableWorld, opened: Sequence[Pull], *names: str) -> list[int]:
    """Replace one process after the other as a rolling deploy does, under load; the exit codes of the old ones."""
    codes = []
    for name in names:
        await world.opened(opened, 8)
        codes.append(await world.fleet.replace(name))
    return codes


async def test_a_rolling_deploy_loses_nothing(world: ReliableWorld) -> None:
    """Workers, then APIs, one by one: each ends with 0 on SIGTERM within its time, and every author is asked once."""
    installed = [await world.install() for _ in range(3)]
    async with world.load(*installed) as opened:
        codes = await replaced(world, opened, *WORKERS, *APIS)
    await world.settled()
    await world.repaired()
    assert (codes, await world.unasked(opened)) == ([0, 0, 0, 0], [])


async def test_a_key_and_a_secret_are_rotated_without_a_refusal(world: ReliableWorld) -> None:
    """Workers get the new service key and both webhook secrets, then GitHub signs with the new one and the old key is
    revoked, then workers know the new ones only, all under load: no 401 and no 403, to nobody.
    """
    fleet = world.fleet
    installed = [await world.install() for _ in range(2)]
    old_key, old, new = fleet.key[0], fleet.webhook_secret, secrets.token_urlsafe(32)
    made = json.loads(await fleet.said("keys", "create", "--json"))
    fleet.key = made["key_id"], made["secret"]
    async with world.load(*installed) as opened:
        fleet.webhook_secret = f"{old},{new}"
        codes = await replaced(world, opened, *WORKERS)
        await fleet.said("keys", "revoke", old_key)
        await world.github.act("configure_delivery", secret=new)
        fleet.webhook_secret = new
        codes += await replaced(world, opened, *WORKERS)
        await world.opened(opened, 8)
    await world.settled()
    refused = [line for name in APIS for line in fleet.children[name].tail(10_000) if '"status":403' in line]
    await world.repaired()
    assert (codes, refused, await world.refusals(401, 403)) == ([0] * 4, [], [])
    assert await world.unasked(opened) == []
