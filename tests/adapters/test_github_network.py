"""The network under the client, over real HTTP: what a server sends must not fill the memory."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from centralbot.adapters.github.app import PooledNetwork

MIB = 1 << 20
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[str]:
    """A server that answers every request so; its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}/"


def sent(*parts: bytes, encoding: str = "identity") -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: %s\r\nconnection: close\r\n\r\n" % encoding.encode())
        for part in parts:
            writer.write(part)
            await writer.drain()

    return answer


async def ask(url: str, *, limit: int) -> httpx.Response:
    network = PooledNetwork(max_connections=1, timeout_s=20.0, max_answer_bytes=limit)
    async with httpx.AsyncClient(transport=network, timeout=20.0) as http:
        return await http.get(url)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("identity", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)],
)
async def test_an_answer_comes_as_it_was_before_it_was_packed(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """Up to the limit, to the byte."""
    async with answering(sent(pack(b"x" * MIB), encoding=encoding)) as url:
        assert (await ask(url, limit=MIB)).content == b"x" * MIB
        with pytest.raises(httpx.NetworkError, match="larger than"):
            await ask(url, limit=MIB - 1)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_answer_without_end_is_cut_off(encoding: str) -> None:
    """Also one that is small before it is unpacked."""
    piece = b" " * (8 * MIB)
    parts = [piece] * 16 if encoding == "identity" else [gzip.compress(piece * 16)]
    async with answering(sent(*parts, encoding=encoding)) as url:
        tracemalloc.start()
        try:
            with pytest.raises(httpx.NetworkError, match="larger than"):
                await ask(url, limit=MIB)
            assert tracemalloc.get_traced_memory()[1] < 32 * MIB
        finally:
            tracemalloc.stop()


async def test_what_cannot_be_unpacked_is_an_error_of_the_network() -> None:
    """As is an encoding that was not asked for."""
    for encoding, body in (("gzip", b"\x1f\x8bxx"), ("deflate", b"xx")):
        async with answering(sent(body, encoding=encoding)) as url:
            with pytest.raises(httpx.NetworkError):
                await ask(url, limit=MIB)
