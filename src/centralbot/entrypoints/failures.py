"""What Litestar's ordinary routes answer when something fails: the contract's envelope, in both processes."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException

from centralbot.domain.errors import CentralbotError
from centralbot.entrypoints.http import error_body, error_parts, loggable

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
    headers = {**NO_STORE, **(exc.headers or {})}
    return Response(error_body(code, detail), status_code=status, media_type=MediaType.JSON, headers=headers)


def _unexpected(request: Request[Any, Any, Any], exc: Exception) -> Response[Any]:
    log.error("request.failed", path=loggable(request.url.path), exc_info=exc)
    body = error_body("INTERNAL", "an unexpected error; it is in the log")
    return Response(body, status_code=500, media_type=MediaType.JSON, headers=NO_STORE)


HANDLERS: dict[int | type[Exception], Any] = {CentralbotError: _known, HTTPException: http, Exception: _unexpected}
"""For ``Litestar(exception_handlers=…)``."""
