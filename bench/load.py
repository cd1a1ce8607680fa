"""A load generator over raw keep-alive sockets: requests are made beforehand, so that its own CPU stays small."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any


@dataclass(frozen=True, slots=True)
class Load:
    """What a run measured: answers by status, requests a second, latencies in milliseconds."""

    by_status: dict[int, int]
    per_second: float
    p50_ms: float
    p99_ms: float
    seconds: float


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None], times: list[float], statuses: list[int]):
        self._requests, self._done, self._times, self._statuses = requests, done, times, statuses
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            self._buffer = buffer
            return
        at = buffer.find(b"content-length: ")
        length = int(buffer[at + 16 : buffer.find(b"\r\n", at)])
        if len(buffer) < end + 4 + length:
            self._buffer = buffer
            return
        self._buffer = b""
        self._times.append(time.perf_counter() - self._sent)
        self._statuses.append(int(buffer[9:12]))
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """One POST as bytes."""
    lines = [f"POST {path} HTTP/1.1", "host: bench", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def drive(host: str, port: int, requests: Iterable[bytes], *, connections: int) -> Load:
    """Send every request once, each connection one at a time."""
    loop = asyncio.get_running_loop()
    queue = iter(requests)
    times: list[float] = []
    statuses: list[int] = []
    started = time.perf_counter()
    done: list[asyncio.Future[None]] = []
    for _ in range(connections):
        future: asyncio.Future[None] = loop.create_future()
        done.append(future)
        await loop.create_connection(partial(_Connection, queue, future, times, statuses), host, port)
    await asyncio.gather(*done)
    seconds = time.perf_counter() - started
    times.sort()
    return Load(
        by_status={status: statuses.count(status) for status in set(statuses)},
        per_second=len(statuses) / seconds,
        p50_ms=percentile(times, 0.5) * 1e3,
        p99_ms=percentile(times, 0.99) * 1e3,
        seconds=seconds,
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """A percentile of ascending values."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")
