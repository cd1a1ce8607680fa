"""What the bodies that arrive may take of the memory together."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Room:
    """``size`` bytes for all bodies together, and one body beyond: that one can always come to its end.

    What counts is what has come, not what was promised: who sends slowly is in nobody's way. The first ``free`` bytes
    of each do not count: the server has them before anybody asks.
    """

    def __init__(self, *, size: int, free: int) -> None:
        self.left = size
        self.free = free
        self.beyond = asyncio.Lock()

    def taken(self) -> Taken:
        """For one body, around its reading and all that needs it."""
        return Taken(self)


class Taken:
    """What one body has taken; given back at the end of the ``with``."""

    __slots__ = ("_beyond", "_room", "_taken")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._taken = 0
        self._beyond = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._room.left += self._taken
        if self._beyond:
            self._room.beyond.release()

    async def before_more(self, size: int) -> None:
        """Wait until more may be read of a body of which ``size`` bytes have come."""
        more = size - self._room.free - self._taken
        if more <= 0:
            return
        if more > self._room.left and not self._beyond:
            await self._room.beyond.acquire()
            self._beyond = True
        self._room.left -= more
        self._taken += more
