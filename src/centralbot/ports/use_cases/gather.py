"""Coroutines side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence

from centralbot.domain.errors import CentralbotError


async def gather_all(work: Sequence[Coroutine[None, None, None]]) -> None:
    """Run all; the first failure ends the others, and is raised as itself where it is one of ours."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except* CentralbotError as errors:
        raise errors.exceptions[0] from None
