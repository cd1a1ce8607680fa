"""A server of ours that listens for as long as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from centralbot.entrypoints.server import Server, started


@asynccontextmanager
async def listening(server: Server) -> AsyncIterator[str]:
    """Serve until the block ends; where, as a base URL."""
    task = asyncio.create_task(server.serve())
    await started(server, task)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()
        await task
