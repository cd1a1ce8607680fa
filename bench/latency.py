"""Rows on how long things take and what they cost at GitHub, with real processes and the simulator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from bench import events, load
from bench.table import Row
from bench.world import REPOSITORY_OFFSET, Server, World, control

CREATE = "issues/create-comment"
SPREAD, EACH = 250, 12
TOKENS = ("apps/create-installation-access-token", "apps/get-authenticated")


def posts(github: str) -> dict[str, float]:
    """When each pull request's comment was created, by path, in seconds of the machine's monotonic clock."""
    logged = control(github, f"requests?operation={CREATE}")["requests"]
    return {entry["path"]: entry["effect_s"] for entry in logged if entry["effect_s"] is not None}


def path(installation: int, number: int) -> str:
    return f"/repos/org{installation}/r/issues/{number}/comments"


def until_posted(github: str, wanted: Iterable[str], timeout_s: float) -> dict[str, float]:
    """Wait until all these comments are there."""
    missing, until = set(wanted), time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = posts(github)
        if missing <= found.keys():
            return found
        time.sleep(0.2)
    raise RuntimeError(f"{len(missing - found.keys())} of {len(missing)} comments did not come within {timeout_s} s")


def send(worker: Server, installation: int, number: int) -> float:
    """Tell the worker of a pull request. Returns when, on the monotonic clock."""
    started = time.monotonic()
    done = asyncio.run(load.drive("127.0.0.1", worker.port, [events.webhook_of(installation, number)], connections=1))
    if done.by_status != {200: 1}:
        raise RuntimeError(f"the webhook was answered {done.by_status}")
    return started


def warm(worker: Server, github: str, installations: int) -> None:
    """One comment in each installation: tokens are cached then."""
    requests = [events.webhook_of(number, 1) for number in range(1, installations + 1)]
    asyncio.run(load.drive("127.0.0.1", worker.port, requests, connections=8))
    until_posted(github, (path(number, 1) for number in range(1, installations + 1)), 60)
    time.sleep(1.1)  # the pause between two writes of one installation
    control(github, "requests", method="DELETE")


async def _paced(worker: Server, hooks: list[tuple[str, bytes]], per_second: float) -> dict[str, float]:
    """Send at a steady pace over connections kept open; when each was sent."""
    sent: dict[str, float] = {}
    queue: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
        while (hook := await queue.get()) is not None:
            sent[hook[0]] = time.monotonic()
            writer.write(hook[1])
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the webhook was answered {head[:40]!r}")
            at = head.find(b"content-length: ")
            await reader.readexactly(int(head[at + 16 : head.find(b"\r\n", at)]))
        writer.close()

    connections = [asyncio.create_task(connection()) for _ in range(16)]
    started = time.monotonic()
    for number, hook in enumerate(hooks):
        await asyncio.sleep(max(0.0, started + number / per_second - time.monotonic()))
        queue.put_nowait(hook)
    for _ in connections:
        queue.put_nowait(None)
    await asyncio.gather(*connections)
    return sent


def until_commented(world: World, *, seconds: int, polling: bool = False) -> list[float]:
    """The ascending times from webhook to the comment's POST at 50 pull requests a second, in seconds."""
    world.clean()
    pulls = [(1 + n % SPREAD, 2 + n // SPREAD) for n in range(50 * seconds)]
    with (
        world.simulator(SPREAD, EACH) as github,
        world.api() as api,
        world.worker(api, github, polling=polling) as worker,
    ):
        warm(worker, github, SPREAD)
        hooks = [(path(*pull), events.webhook_of(*pull)) for pull in pulls]
        sent = asyncio.run(_paced(worker, hooks, 50))
        found = until_posted(github, sent, 60)
    return sorted(found[one] - at for one, at in sent.items())


def comment(world: World, quick: bool) -> list[Row]:
    """From webhook to the comment's POST at 50 pull requests a second, waiting claims against polling ones."""
    p99: list[float] = []
    for polling in (False, True):
        times = until_commented(world, seconds=5 if quick else 10, polling=polling)
        p99.append(load.percentile(times, 0.99) * 1000)
    return [
        Row(what="webhook -> comment's POST, 50 PRs/s, p99 / polling each second", figure=f"{p99[0]:.0f} ms",
            reference=f"{p99[1]:.0f} ms", ratio=p99[0] / p99[1], target=0.1)
    ]  # fmt: skip


ACTIONS = (Path(__file__).parent / "sql" / "queue_comments.sql").read_text()


def queue(world: World, *, first: int, last: int, numbers: tuple[int, int]) -> float:
    """Put a comment for each of these pull requests into the outbox and tell so. Returns when."""
    parameters = {"offset": REPOSITORY_OFFSET, "first": first, "last": last, "from": numbers[0], "to": numbers[1]}
    world.database.execute(ACTIONS, parameters)
    world.database.execute("select pg_notify('centralbot', 'actions')")
    return time.monotonic()


def fairness(world: World, quick: bool) -> list[Row]:
    """One installation has 10,000 actions queued: what another one's single action waits."""
    world.clean()
    singles = 10 if quick else 25
    waits: dict[str, list[float]] = {"idle": [], "busy": []}
    with world.simulator(1 + 2 * singles, 60) as github, world.api() as api, world.worker(api, github) as worker:
        warm(worker, github, 1 + 2 * singles)
        for turn, name in enumerate(waits):
            if name == "busy":
                queue(world, first=1, last=1, numbers=(2, 10_001))
                world.database.execute("vacuum analyze bot_action_queue")
                time.sleep(1)
            for number in range(singles):
                installation = 2 + turn * singles + number
                sent = send(worker, installation, 2)
                time.sleep(0.25)
                there = until_posted(github, [path(installation, 2)], 20)
                waits[name].append((there[path(installation, 2)] - sent) * 1000)
        left = world.count("bot_action_queue")
    if left < 5000:
        raise RuntimeError(f"only {left} actions were left in the queue: it was not busy")
    idle, busy = median(waits["idle"]), median(waits["busy"])
    return [
        Row(what="single action beside 10,000 of another installation / idle", figure=f"{busy:.1f} ms",
            reference=f"{idle:.1f} ms", ratio=busy / idle, target=2.0)
    ]  # fmt: skip


def calls(world: World, quick: bool) -> list[Row]:
    """Requests to GitHub for a gated pull request and for one that times out."""
    world.clean()
    pulls = 3 if quick else 8
    with world.simulator(pulls, 2) as github, world.api() as api, world.worker(api, github) as worker:
        warm(worker, github, pulls)
        for number in range(1, pulls + 1):
            send(worker, number, 2)
        until_posted(github, (path(number, 2) for number in range(1, pulls + 1)), 20)
        _settled(world)
        gated = _requests(github)
        control(github, "requests", method="DELETE")
        world.database.execute(
            "update pr_challenges set deadline_at = now() - interval '1 s' where status = 'PENDING' and pr_number = 2"
        )
        time.sleep(1.1)
        if world.run("sweep")["timed_out"] != pulls:
            raise RuntimeError("not all challenges timed out")
        _settled(world)
        closed = _requests(github)
    what = "GitHub calls for a"
    return [
        Row(what=f"{what} gated PR", figure=f"{gated / pulls:g}", reference="2", ratio=gated / pulls, target=2),
        Row(what=f"{what} timed-out PR", figure=f"{closed / pulls:g}", reference="4", ratio=closed / pulls, target=4),
    ]


def _settled(world: World) -> None:
    until = time.monotonic() + 20
    while world.count("bot_action_queue"):
        if time.monotonic() > until:
            raise RuntimeError("the outbox did not become empty")
        time.sleep(0.1)


def _requests(github: str) -> int:
    found: list[dict[str, Any]] = control(github, "requests")["requests"]
    return sum(entry["operation"] not in TOKENS for entry in found)


def many(world: World, quick: bool) -> list[Row]:
    """200 installations with 5 actions each, at 200 ms of GitHub's latency, against one alone."""
    world.clean()
    installations, pulls = 200, 5
    with world.simulator(installations + 1, 7) as github, world.api() as api, world.worker(api, github):
        control(github, "faults", {"kind": "latency", "latency_s": 0.2})
        alone: list[float] = []
        together: list[float] = []
        for turn in range(1 if quick else 2):
            numbers = (1, pulls) if not turn else (2, pulls + 1)
            for first, last, into in ((201, 201, alone), (1, installations, together)):
                control(github, "requests", method="DELETE")
                at = queue(world, first=first, last=last, numbers=numbers)
                wanted = [path(i, n) for i in range(first, last + 1) for n in range(numbers[0], numbers[1] + 1)]
                found = until_posted(github, wanted, 60)
                into.append(max(found[one] for one in wanted) - at)
                time.sleep(1.5)
    one, all_of_them = median(alone), median(together)
    return [
        Row(what="200 installations x 5 actions at 200 ms / one installation x 5", figure=f"{all_of_them:.2f} s",
            reference=f"{one:.2f} s", ratio=all_of_them / one, target=1.3)
    ]  # fmt: skip
