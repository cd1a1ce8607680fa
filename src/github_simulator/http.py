"""Requests, answers and a log of them."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from github_simulator.model import Json

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

DOCS = "https://docs.github.com/rest"
MAX_BODY_BYTES = 4 * 1024 * 1024
"""More than any GitHub call needs, so that its own limits are what a caller meets first."""


class ApiError(Exception):
    """An answer other than success, in GitHub's shape; ``errors`` are the details of a 422."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Sequence[Json] | None = None,
        headers: Mapping[str, str] | None = None,
        docs: str = DOCS,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = dict(headers or {})
        self.docs = docs

    def response(self) -> Response:
        body: Json = {"message": self.message}
        if self.errors is not None:
            body["errors"] = list(self.errors)
        return Response(self.status, {**body, "documentation_url": self.docs, "status": str(self.status)}, self.headers)


def not_found() -> ApiError:
    return ApiError(404, "Not Found")


def invalid(message: str, resource: str, field_name: str, code: str = "invalid") -> ApiError:
    """A 422 as GitHub words it."""
    detail = {"resource": resource, "field": field_name, "code": code, "message": message}
    return ApiError(422, "Validation Failed", errors=[detail])


@dataclass(slots=True)
class Request:
    """One request, its body read. Header names are lower case, path segments are decoded one by one."""

    method: str
    path: str
    segments: list[str]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def object(self) -> Json:
        """The body as a JSON object; an absent one is empty. Raises ApiError 400."""
        if not self.body:
            return {}
        try:
            decoded = json.loads(self.body)
        except (ValueError, RecursionError):
            raise ApiError(400, "Problems parsing JSON") from None
        if not isinstance(decoded, dict):
            raise ApiError(400, "Body should be a JSON object")
        return decoded

    @property
    def base(self) -> str:
        """The address by which the caller reached us."""
        return f"http://{self.headers.get('host', 'localhost')}"


@dataclass(slots=True)
class Response:
    """An answer. A body that is not bytes is written as JSON; None is no body."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, send: Send) -> None:
        raw = (
            b"" if self.body is None else self.body if isinstance(self.body, bytes) else msgspec.json.encode(self.body)
        )
        headers = {"content-type": "application/json; charset=utf-8", **self.headers, "content-length": str(len(raw))}
        if self.body is None:
            del headers["content-type"]
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": encoded})
        await send({"type": "http.response.body", "body": raw})


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Read the whole request. Raises ApiError 413 past the limit."""
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise ApiError(413, "Payload too large")
        chunks.append(chunk)
        more = message.get("more_body", False)
    raw_path = scope.get("raw_path") or scope["path"].encode()
    path = raw_path.partition(b"?")[0].decode("latin-1")
    return Request(
        method=scope["method"],
        path=path,
        segments=[unquote(part) for part in path.strip("/").split("/")],
        query=dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=b"".join(chunks),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One request. ``at`` is Unix seconds when it came; ``…_s`` are the machine's monotonic clock.

    ``effect_s`` is when the request changed or read the world, before any fault that delays the answer; None when
    it did neither. ``status`` 0 means no answer.
    """

    index: int
    at: float
    started_s: float
    effect_s: float | None
    ended_s: float
    method: str
    path: str
    operation: str
    installation_id: int | None
    repository_id: int | None
    status: int

    def shape(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True, kw_only=True)
class RequestLog:
    """The latest requests one by one, and counts of all of them."""

    entries: deque[Logged] = field(default_factory=lambda: deque(maxlen=100_000))
    total: int = 0
    by_operation: Counter[str] = field(default_factory=Counter)
    by_installation: Counter[int] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)

    def add(self, entry: Logged) -> None:
        self.entries.append(entry)
        self.total += 1
        self.by_operation[entry.operation] += 1
        self.by_status[entry.status] += 1
        if entry.installation_id is not None:
            self.by_installation[entry.installation_id] += 1

    def counts(self) -> Json:
        """Totals, with keys as strings."""
        return {
            "total": self.total,
            "by_operation": dict(self.by_operation),
            "by_installation": {str(key): value for key, value in self.by_installation.items()},
            "by_status": {str(key): value for key, value in self.by_status.items()},
        }

    def find(self, *, operation: str | None = None, installation_id: int | None = None, since: int = 0) -> list[Json]:
        """Entries from index ``since`` on, oldest first."""
        return [
            entry.shape()
            for entry in self.entries
            if entry.index >= since
            and (operation is None or entry.operation == operation)
            and (installation_id is None or entry.installation_id == installation_id)
        ]

    def clear(self) -> None:
        """Forget everything, before a measurement."""
        self.entries.clear()
        self.total = 0
        for counter in (self.by_operation, self.by_status):
            counter.clear()
        self.by_installation.clear()
