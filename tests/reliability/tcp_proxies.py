"""What stands between the processes: a balancer before replicas, and a way to the store that can lose replies."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

CHUNK = 65_536
COMMIT, ANYTHING = b"COMMIT\0", b""
"""How PostgreSQL is told to commit (a simple query of its protocol)."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(kw_only=True)
class TcpProxy:
    """Takes connections and joins each to its far side."""

    _server: asyncio.Server | None = None
    _joins: set[asyncio.Task[None]] = field(default_factory=set)

    async def reach(self) -> Streams:
        """The far side of a new connection. Raises OSError where there is none."""
        raise NotImplementedError

    def loses(self, chunk: bytes) -> bool:
        """Whether the reply to what a client sent is lost, and the connection with it."""
        return False

    async def open(self, place: int | Path) -> None:
        """Listen on a port, or on a socket in the file system."""
        if isinstance(place, Path):
            self._server = await asyncio.start_unix_server(self._take, place)
        else:
            self._server = await asyncio.start_server(self._take, "127.0.0.1", place)

    async def close(self) -> None:
        """Stop listening and cut what is joined."""
        if self._server is not None:
            self._server.close()
        for task in self._joins:
            task.cancel()
        await asyncio.gather(*self._joins, return_exceptions=True)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join((reader, writer)))
        self._joins.add(task)
        task.add_done_callback(self._joins.discard)

    async def _join(self, near: Streams) -> None:
        try:
            far = await self.reach()
        except OSError:
            near[1].close()
            return
        lost = asyncio.Event()
        ways = [asyncio.create_task(self._there(near, far, lost)), asyncio.create_task(self._back(near, far, lost))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            near[1].close()
            far[1].close()

    async def _there(self, near: Streams, far: Streams, lost: asyncio.Event) -> None:
        with suppress(OSError):
            while chunk := await near[0].read(CHUNK):
                if self.loses(chunk):
                    lost.set()
                far[1].write(chunk)
                await far[1].drain()

    async def _back(self, near: Streams, far: Streams, lost: asyncio.Event) -> None:
        with suppress(OSError):
            while (chunk := await far[0].read(CHUNK)) and not lost.is_set():
                near[1].write(chunk)
                await near[1].drain()


@dataclass(kw_only=True)
class Balancer(TcpProxy):
    """Spreads connections over the replicas on ``ports``, and goes on to the next one where one takes none."""

    ports: dict[str, int] = field(default_factory=dict)
    _turn: int = 0
    _far: dict[asyncio.StreamWriter, int] = field(default_factory=dict)

    async def reach(self) -> Streams:
        self._turn += 1
        ports = list(self.ports.values())
        for i in range(len(ports)):
            port = ports[(self._turn + i) % len(ports)]
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                self._far = {far: at for far, at in self._far.items() if not far.is_closing()} | {writer: port}
                return reader, writer
        raise ConnectionRefusedError("no replica takes connections")

    def leave_out(self, name: str) -> None:
        """Send nothing more to this replica, as after a failed health check; what is joined to it is cut."""
        port = self.ports.pop(name, None)
        for writer in [far for far, at in self._far.items() if at == port]:
            writer.close()


@dataclass(kw_only=True)
class StoreProxy(TcpProxy):
    """The way to PostgreSQL's socket. Every ``nth`` request with ``losing`` in it is done, but its reply is lost."""

    socket: Path
    losing: bytes = COMMIT
    nth: int = 0
    seen: int = 0
    lost: int = 0

    async def reach(self) -> Streams:
        return await asyncio.open_unix_connection(self.socket)

    def loses(self, chunk: bytes) -> bool:
        if not self.nth or self.losing not in chunk:
            return False
        self.seen += 1
        self.lost += self.seen % self.nth == 0
        return self.seen % self.nth == 0
