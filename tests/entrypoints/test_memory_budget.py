"""Bodies that arrive at once share the memory: all of them end, however many and however large they are."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from centralbot.entrypoints.http import PayloadTooLarge, read_body
from centralbot.entrypoints.worker.webhook import MemoryBudget

SIZE, FREE, LIMIT, PIECE = 1000, 50, 400, 10
SCOPE = {"type": "http", "headers": []}


class Senders:
    """Bodies under way; ``peak`` is the most that they held together, what is free of each left out."""

    def __init__(self, room: MemoryBudget) -> None:
        self.room = room
        self.held: dict[int, int] = {}
        self.peak = 0

    async def send(self, name: int, size: int, *, stalls_at: int | None = None) -> int:
        """One body of ``size`` bytes in pieces; ``stalls_at``: it stops there for ever. Returns what was read."""

        async def receive() -> Any:
            await asyncio.sleep(0)
            sent = self.held.get(name, 0)
            if stalls_at is not None and sent >= stalls_at:
                await asyncio.Event().wait()
            self.held[name] = sent + PIECE
            self.peak = max(self.peak, sum(max(0, held - FREE) for held in self.held.values()))
            return {"type": "http.request", "body": b"x" * PIECE, "more_body": sent + PIECE < size}

        try:
            with self.room.reservation() as taken:
                return len(await read_body(SCOPE, receive, limit=LIMIT, before_more=taken.before_more))
        finally:
            self.held.pop(name, None)


@pytest.fixture
def senders() -> Senders:
    return Senders(MemoryBudget(size=SIZE, free=FREE))


async def test_many_large_bodies_at_once_all_end_and_share_the_room(senders: Senders) -> None:
    """One of them may be beyond it: the others wait for that one, so none waits for ever. Each has a piece in hand."""
    many = 50
    sizes = await asyncio.wait_for(asyncio.gather(*(senders.send(name, LIMIT) for name in range(many))), 10)
    assert set(sizes) == {LIMIT}
    assert SIZE < senders.peak <= SIZE + LIMIT + many * PIECE


async def test_who_stalls_holds_only_what_came(senders: Senders) -> None:
    """Many that promise much and send little are in nobody's way."""
    stalled = [asyncio.create_task(senders.send(-name, LIMIT, stalls_at=FREE + PIECE)) for name in range(1, 50)]
    assert await asyncio.wait_for(senders.send(1, LIMIT), 10) == LIMIT
    for task in stalled:
        task.cancel()


async def test_small_bodies_pass_where_there_is_no_room(senders: Senders) -> None:
    """GitHub's usual deliveries are small."""
    stalled = [asyncio.create_task(senders.send(-name, LIMIT, stalls_at=LIMIT - PIECE)) for name in range(1, 9)]
    waiting = asyncio.create_task(senders.send(1, LIMIT))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert await asyncio.wait_for(senders.send(2, FREE), 10) == FREE
    for task in stalled:
        task.cancel()
    assert await asyncio.wait_for(waiting, 10) == LIMIT


async def test_what_was_taken_is_given_back_however_it_ends(senders: Senders) -> None:
    """Read, refused as too large, or broken off while it waited."""
    for _ in range(20):
        await senders.send(1, LIMIT)
        with pytest.raises(PayloadTooLarge):
            await senders.send(2, LIMIT + PIECE)
        broken = [asyncio.create_task(senders.send(name, LIMIT, stalls_at=LIMIT - PIECE)) for name in range(10)]
        await asyncio.sleep(0.01)
        for task in broken:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    assert await asyncio.wait_for(senders.send(1, LIMIT), 10) == LIMIT
    assert senders.room.left == SIZE
