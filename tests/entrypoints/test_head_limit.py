"""A request's head has a limit and a form: nobody fills the memory before a route is even known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from litestar import Litestar, Request, Response, post

from centralbot.entrypoints.server import MAX_HEAD_BYTES, make_server
from tests.entrypoints.serving import listening

SENT = 64
"""Pieces that are tried, each as long as a whole head may be."""


@post("/")
async def echo(request: Request[Any, Any, Any]) -> Response[Any]:
    return Response(await request.json(), status_code=200)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = make_server(Litestar([echo], openapi_config=None, logging_config=None), host="127.0.0.1", port=0)
    async with listening(server):
        yield server.port


async def answer(port: int, start: bytes, piece: bytes) -> tuple[bytes, int]:
    """What comes back, and how many pieces could be sent before the connection was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = 0
    writer.write(start)
    with suppress(ConnectionError):
        for _ in range(SENT):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
            sent += 1
    said = b""
    with suppress(ConnectionError):
        said = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return said, sent


CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"GET /", b"a" * MAX_HEAD_BYTES),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: ", b"a" * MAX_HEAD_BYTES),
        (b"GET / HTTP/1.1\r\nhost: x\r\n", b"x: y\r\n" * (MAX_HEAD_BYTES // 6)),
        (CHUNKED + b"2\r\n{}\r\n0\r\nx: ", b"a" * MAX_HEAD_BYTES),
        (CHUNKED + b"2;x=", b"a" * MAX_HEAD_BYTES),
    ],
    ids=["address", "one header", "many headers", "trailer", "chunk extension"],
)
async def test_an_endless_head_is_cut_off(port: int, start: bytes, piece: bytes) -> None:
    """The connection is closed long before the end, whatever part of the head it is."""
    said, sent = await answer(port, start, piece)
    assert sent < SENT or said != b""
    assert said[:12] in (b"", b"HTTP/1.1 431", b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "request_head",
    [
        b"what is this\r\n\r\n",
        b"BREW / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
    ids=["no head", "unknown method", "negative length", "two lengths"],
)
async def test_what_is_not_http_is_400_in_the_envelope(port: int, request_head: bytes) -> None:
    """And the connection is closed: where the next request would begin is not known."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_head)
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["code"] == "VALIDATION_ERROR"


async def test_a_long_body_after_a_short_head_is_none_of_its_business(port: int) -> None:
    """Also in many chunks, and again on the same connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(CHUNKED)
        for piece in (b'{"a":', b" " * MAX_HEAD_BYTES, b" " * MAX_HEAD_BYTES, b"1}"):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(7) == b'{"a":1}'
    writer.close()
    await writer.wait_closed()
