"""Rows on resident memory while very many deliveries go through the worker and the API."""

from __future__ import annotations

import psutil
import uvloop

from bench import events, load
from bench.table import Row
from bench.throughput import checked
from bench.world import Server, World

MIB = 1 << 20


def resident(server: Server) -> float:
    return float(psutil.Process(server.pid).memory_info().rss) / MIB


def memory(world: World, quick: bool) -> list[Row]:
    """RSS after 100,000 deliveries and how much of it the second half brought. The simulator knows none of their
    pull requests, so that the worker's executor is busy with refusals meanwhile."""
    world.clean()
    deliveries, steps = (20_000 if quick else 100_000), 10
    seen: dict[str, list[float]] = {"API": [], "worker": []}
    with world.simulator(1, 1) as github, world.api() as api, world.worker(api, github) as worker:
        for _ in range(steps):
            hooks = events.webhooks(deliveries // steps)
            checked(uvloop.run(load.drive("127.0.0.1", worker.port, hooks, connections=16)))
            seen["API"].append(resident(api))
            seen["worker"].append(resident(worker))
    rows = []
    for name, limit in (("API", 150), ("worker", 120)):
        sizes = seen[name]
        middle, end = sizes[steps // 2 - 1], max(sizes[steps // 2 :])
        what = f"memory of the {name} after {deliveries:,} deliveries"
        rows.append(
            Row(what=f"{what}, MiB", figure=f"{end:.0f} MiB", reference=f"{limit} MiB", ratio=end, target=limit)
        )
        rows.append(
            Row(what=f"{what}: end / middle", figure=f"{end:.1f} MiB", reference=f"{middle:.1f} MiB",
                ratio=end / middle, target=1.05)
        )  # fmt: skip
    return rows
