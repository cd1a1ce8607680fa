"""One pass of the sweeper, timed without its start: prints a JSON object with the seconds and the report."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

from centralbot.entrypoints.cli.running import open_store, run_server


async def main() -> None:
    async with open_store() as backend:
        started = time.perf_counter()
        report = await backend.sweep.once()
        print(json.dumps({"seconds": time.perf_counter() - started, **asdict(report)}))


if __name__ == "__main__":
    run_server(main())
