"""A client that does not finish its request does not keep its connection: they are as many as there are files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Litestar, Request, get, post

from centralbot.entrypoints.server import make_server
from tests.entrypoints.serving import listening

RECEIVE_S = 0.3
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n"


@get("/", sync_to_thread=False)
def at_once() -> str:
    return "now"


@post("/")
async def later(request: Request[Any, Any, Any]) -> str:
    await request.body()
    await asyncio.sleep(4 * RECEIVE_S)
    return "then"


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr("centralbot.entrypoints.server.RECEIVE_S", RECEIVE_S)
    app = Litestar([at_once, later], openapi_config=None, logging_config=None)
    server = make_server(app, host="127.0.0.1", port=0)
    async with listening(server):
        yield server.port


async def answered(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert b" 200 " in head or b" 201 " in head
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


@pytest.mark.parametrize(
    "sent",
    [b"", b"\r\n", b"POST / HTTP/1.1\r\nhost: x\r\n", HEAD, HEAD + b"12345", b"GET"],
    ids=["nothing", "an empty line", "half a head", "no body", "half a body", "a word"],
)
@pytest.mark.parametrize("requests_before", [0, 1])
async def test_who_does_not_finish_is_hung_up_on(port: int, sent: bytes, requests_before: int) -> None:
    """Also on a connection that served before; one that only waits there has its own, longer time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(requests_before):
        writer.write(GET)
        assert await answered(reader) == b"now"
    if sent or not requests_before:
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_little_at_a_time_gains_no_time(port: int) -> None:
    """The whole request counts, not each piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def trickle() -> None:
        writer.write(b"GET /")
        while True:
            writer.write(b"a")
            await asyncio.sleep(RECEIVE_S / 10)

    trickling = asyncio.create_task(trickle())
    try:
        assert await asyncio.wait_for(reader.read(), 10) == b""
    finally:
        trickling.cancel()
        writer.close()


async def test_an_answer_may_take_its_time_and_so_may_the_next_request(port: int) -> None:
    """Long polls, and connections that are kept."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(HEAD + b'"12345678"')
        assert await answered(reader) == b"then"
        await asyncio.sleep(2 * RECEIVE_S)
    writer.close()
