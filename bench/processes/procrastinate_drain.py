"""procrastinate drains no-op jobs in one process: 10 at once and rows deleted when done, the fastest of its settings.

Usage: ``python -m bench.processes.procrastinate_drain DSN JOBS`` with an empty database. Prints a JSON object.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

import psycopg
import uvloop
from procrastinate import App, PsycopgConnector

CONCURRENCY = 10


async def main() -> None:
    logging.disable(logging.CRITICAL)
    dsn, jobs = sys.argv[1], int(sys.argv[2])
    app = App(connector=PsycopgConnector(conninfo=dsn, min_size=2, max_size=CONCURRENCY + 2))

    @app.task(queue="bench", name="noop")
    async def noop(number: int) -> None:
        pass

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for first in range(0, jobs, 1000):
            arguments: list[Any] = [{"number": n} for n in range(first, min(first + 1000, jobs))]
            await noop.batch_defer_async(*arguments)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("vacuum analyze")
        started = time.perf_counter()
        await app.run_worker_async(
            queues=["bench"], concurrency=CONCURRENCY, wait=False, listen_notify=False,
            install_signal_handlers=False, delete_jobs="always",
        )  # fmt: skip
        seconds = time.perf_counter() - started
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select count(*) from procrastinate_jobs").fetchone()
    if row != (0,):
        raise SystemExit(f"jobs are left: {row}")
    print(json.dumps({"per_second": jobs / seconds}))


if __name__ == "__main__":
    uvloop.run(main())
