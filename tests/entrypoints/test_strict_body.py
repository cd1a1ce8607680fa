"""Bodies of native handlers: what Litestar alone would let through is refused as the contract says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from litestar import Litestar, Router, post
from litestar.params import JSONBody

from centralbot.entrypoints import http as failures
from centralbot.entrypoints.decoding import StrictBody


class Inner(msgspec.Struct, frozen=True):
    name: Annotated[str, msgspec.Meta(min_length=1)] = "x"


class Body(msgspec.Struct, frozen=True):
    number: int
    ready: bool = False
    label: str | None = None
    inner: Inner = Inner()


class Optional(msgspec.Struct, frozen=True):
    by_s: int | None = None


NOTHING = Optional()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """``/strict`` as our handlers are, ``/lenient`` as Litestar's are by themselves."""

    @post("/body", status_code=200)
    async def body(data: JSONBody[Body]) -> dict[str, Any]:
        return {"got": [data.number, data.ready, data.label, data.inner.name]}

    @post("/optional", status_code=200)
    async def optional(data: JSONBody[Optional] = NOTHING) -> dict[str, Any]:
        return {"got": data.by_s}

    app: Any = Litestar(
        [
            Router("/strict", route_handlers=[body, optional], dto=StrictBody, return_dto=None),
            Router("/lenient", route_handlers=[body]),
        ],
        exception_handlers=failures.HANDLERS,
        openapi_config=None,
        logging_config=None,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://x") as opened:
        yield opened


REFUSED: dict[bytes, str] = {
    b'{"number": "30"}': "number: expected an integer, got a string",
    b'{"number": "null"}': "number: expected an integer, got a string",
    b'{"number": null}': "number: expected an integer, got null",
    b'{"number": 1.0}': "number: expected an integer, got a number",
    b'{"number": true}': "number: expected an integer, got a boolean",
    b'{"number": 1, "ready": "true"}': "ready: expected a boolean, got a string",
    b'{"number": 1, "ready": 1}': "ready: expected a boolean, got an integer",
    b'{"number": 1, "inner": {"name": ""}}': "inner.name: expected a string of length >= 1",
    b'{"number": 1, "label": "a\\u0000b"}': "label: must not contain a NUL character",
    b'{"number": 1, "inner": {"name": "\\u0000"}}': "inner.name: must not contain a NUL character",
    b"{}": "number: missing",
    b"[]": "the body: expected an object, got an array",
    b"null": "the body: expected an object, got null",
    b"number=30": "the body is not valid JSON: ",
    b'{"number": 1': "the body is not valid JSON: ",
    b'{"number": NaN}': "number: not valid JSON",
    b'{"number": 1, "label": "\xff"}': "the body is not valid UTF-8",
    b'{"number": 1, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}": "the body is nested too deep",
    b"": "the body: missing",
    b"  ": "the body: missing",
}


@pytest.mark.parametrize("body", REFUSED, ids=range(len(REFUSED)))
async def test_what_is_not_exactly_the_shape_is_refused_by_name(client: httpx.AsyncClient, body: bytes) -> None:
    """400 in the envelope; the message names the field."""
    answer = await client.post("/strict/body", content=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert error["message"].startswith(REFUSED[body])


async def test_what_is_the_shape_is_taken(client: httpx.AsyncClient) -> None:
    """Unknown fields are ignored; ``"null"`` in a text is a text."""
    answer = await client.post("/strict/body", content=b'{"number": 30, "label": "null", "x": {"y": [null]}}')
    assert (answer.status_code, answer.json()) == (200, {"got": [30, False, "null", "x"]})


@pytest.mark.parametrize(("body", "got"), [(b"", None), (b" ", None), (b"{}", None), (b'{"by_s": 60}', 60)])
async def test_a_body_with_a_default_may_be_left_out(client: httpx.AsyncClient, body: bytes, got: int | None) -> None:
    """But what is sent is checked all the same."""
    assert (await client.post("/strict/optional", content=body)).json() == {"got": got}
    assert (await client.post("/strict/optional", content=b'{"by_s": "60"}')).status_code == 400


async def test_litestar_alone_would_take_it(client: httpx.AsyncClient) -> None:
    """Why there is a decoder of our own: where this fails, it may be needed no more."""
    answer = await client.post("/lenient/body", content=b'{"number": "30", "ready": "true"}')
    assert answer.json() == {"got": [30, True, None, "x"]}
