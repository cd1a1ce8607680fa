"""What the HTTP sides share: bodies with a limit, JSON, the contract's errors."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException

from centralbot.domain.errors import CentralbotError, RateLimited, Unavailable

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

MIB = 1 << 20
LINGER_S = 2.0
_JSON = (b"content-type", b"application/json")
_ENCODER = msgspec.json.Encoder()
_GATE = re.compile(r"(/g/|/gate/)[^/]+")

STATUS_OF_CODE: Mapping[str, int] = {
    "VALIDATION_ERROR": 400,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "BOT_ACTION_NOT_CLAIMED_BY_WORKER": 409,
    "CHALLENGE_NOT_PENDING": 409,
    "ILLEGAL_TRANSITION": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "RATE_LIMITED": 429,
    "UNAVAILABLE": 503,
}


class PayloadTooLarge(CentralbotError):
    """The body is over the limit; it was not read to its end."""

    code = "PAYLOAD_TOO_LARGE"


class ClientGone(Exception):
    """The client hung up before its body was complete: there is nobody to answer."""


async def read_body(
    scope: Scope, receive: Receive, *, limit: int, before_more: Callable[[int], Awaitable[None]] | None = None
) -> bytes:
    """The request's body, at most ``limit`` bytes. Raises PayloadTooLarge while streaming, ClientGone.

    ``before_more`` is told how much has come, and awaited, each time that more is asked for.
    """
    declared = header(scope, b"content-length")
    if declared is not None and declared.isdigit() and int(declared[:20]) > limit:
        raise PayloadTooLarge(f"the body is over the limit of {limit} bytes")
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body"):
        if len(body) > limit:
            raise PayloadTooLarge(f"the body is over the limit of {limit} bytes")
        return body
    parts = [body]
    size = len(body)
    while message["type"] == "http.request" and message.get("more_body"):
        if before_more is not None:
            await before_more(size)
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise PayloadTooLarge(f"the body is over the limit of {limit} bytes")
        parts.append(part)
    if message["type"] != "http.request":
        raise ClientGone
    return b"".join(parts)


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that lower-case name, as the bytes that came."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


async def send_json(send: Send, status: int, value: object, *, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Answer with JSON."""
    body = value if isinstance(value, bytes) else _ENCODER.encode(value)
    start = [_JSON, (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


async def send_and_linger(
    send: Send, receive: Receive, status: int, value: object, *, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Answer before the body has come to its end, then throw away what still comes for a moment.

    Closing at once would reset the connection, and a client that is busy sending would never see the answer.
    """

    async def keep_open(message: Any) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    await send_json(keep_open, status, value, headers=headers)
    try:
        async with asyncio.timeout(LINGER_S):
            message = await receive()
            while message["type"] == "http.request" and message.get("more_body"):
                message = await receive()
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})


def loggable(path: str) -> str:
    """A request's path as it may stand in a log: a gate link's token is a secret of its challenge."""
    return _GATE.sub(r"\1***", path)


def error_body(code: str, message: str) -> dict[str, dict[str, str]]:
    """The contract's error envelope."""
    return {"error": {"code": code, "message": message}}


def error_parts(exc: CentralbotError) -> tuple[int, dict[str, dict[str, str]], tuple[tuple[bytes, bytes], ...]]:
    """Status, body and headers for an error."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(exc, Unavailable | RateLimited):
        headers = ((b"retry-after", b"%d" % max(1, exc.retry_after_s)),)
    elif isinstance(exc, PayloadTooLarge):
        headers = ((b"connection", b"close"),)
    return STATUS_OF_CODE.get(exc.code, 500), error_body(exc.code, exc.message), headers


async def send_error(send: Send, exc: CentralbotError) -> None:
    """Answer with an error's envelope."""
    status, body, headers = error_parts(exc)
    await send_json(send, status, body, headers=headers)


log = structlog.get_logger("centralbot")

NO_STORE = {"cache-control": "no-store"}
"""A cache may keep a 404 or a 405 for a while where nothing is said (RFC 9111, 4.2.2), and show one's to another."""
_CODES = {401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
_CODES |= {413: "PAYLOAD_TOO_LARGE", 429: "RATE_LIMITED", 503: "UNAVAILABLE"}


def _known(_: Request[Any, Any, Any], exc: CentralbotError) -> Response[Any]:
    status, body, headers = error_parts(exc)
    named = {**NO_STORE, **{k.decode(): v.decode() for k, v in headers}}
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=named)


def http(_: Request[Any, Any, Any], exc: HTTPException) -> Response[Any]:
    """What Litestar itself raises: no such path, a wrong method, a body that is too large."""
    status = exc.status_code
    code = _CODES.get(status, "VALIDATION_ERROR" if status < 500 else "INTERNAL")
    detail = "there is no such path" if status == 404 else exc.detail
    if isinstance(exc, ValidationException) and isinstance(exc.extra, list):
        detail = "the body: missing" if any(it.get("source") == "body" for it in exc.extra) else detail
    headers = {**NO_STORE, **(exc.headers or {})}
    return Response(error_body(code, detail), status_code=status, media_type=MediaType.JSON, headers=headers)


def _unexpected(request: Request[Any, Any, Any], exc: Exception) -> Response[Any]:
    log.error("request.failed", path=loggable(request.url.path), exc_info=exc)
    body = error_body("INTERNAL", "an unexpected error; it is in the log")
    return Response(body, status_code=500, media_type=MediaType.JSON, headers=NO_STORE)


HANDLERS: dict[int | type[Exception], Any] = {CentralbotError: _known, HTTPException: http, Exception: _unexpected}
"""For ``Litestar(exception_handlers=…)``."""
