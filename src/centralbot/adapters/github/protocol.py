"""What every exchange with GitHub has in common, as functions of headers and bytes.

Header names are looked up in lower case; pass a case-insensitive mapping or one with lower-case keys.
Source: https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec

API_VERSION: Final = "2022-11-28"
"""Pinned: without the header GitHub picks, and its pick changes."""

MAX_MESSAGE_CHARS: Final = 200
REDIRECTS: Final = frozenset({301, 302, 307, 308})

_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[^\s,;="]+(?:=(?:"[^"]*"|[^\s,;"]*))?)*)')
_REL_NEXT = re.compile(r';\s*rel="?(?:[^"]*\s)?next(?:\s[^"]*)?"?\s*(?:;|$)', re.IGNORECASE)
_TOKEN = re.compile(r"(?:gh[a-z]_|github_pat_)[A-Za-z0-9._]{16,}|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_.-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResponse:
    """One answer. ``redirected`` is true when another address than the one asked gave it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    redirected: bool = False

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class _ErrorDetail(msgspec.Struct):
    message: str | None = None


class _ErrorBody(msgspec.Struct):
    message: str = ""
    errors: msgspec.Raw = msgspec.Raw(b"[]")


def request_headers(*, authorization: str | None, user_agent: str) -> dict[str, str]:
    """The headers of every request. GitHub refuses a request without a User-Agent."""
    headers = {
        "Accept": "application/vnd.github+json",
        "User-Agent": user_agent,
        "X-GitHub-Api-Version": API_VERSION,
    }
    return headers if authorization is None else headers | {"Authorization": authorization}


def next_page(headers: Mapping[str, str]) -> str | None:
    """The address of the next page (RFC 8288 ``rel="next"``), or None on the last one."""
    for target, params in _LINK.findall(headers.get("link", "")):
        if _REL_NEXT.search(params):
            return str(target)
    return None


def redirect_target(url: str, response: ApiResponse) -> str | None:
    """Where a renamed or transferred repository's answer points, or None when it is no redirect that we follow."""
    location = response.headers.get("location", "")
    if response.status not in REDIRECTS or not location:
        return None
    try:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
    except ValueError:
        return None
    return target if scheme in {"http", "https"} else None


def same_origin(url: str, other: str) -> bool:
    """Whether ``other`` is of the server of ``url``: same scheme, host and port, and no user of its own."""
    try:
        return _origin(url) == _origin(other)
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str | None, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.username, parts.hostname, port


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """GitHub's own clock (``Date``, whole seconds), or None where the header is missing or broken."""
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def clock_skew_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds by which our clock (``now``) is ahead of GitHub's; negative when it is behind; None if not told."""
    date = server_time(headers)
    return None if date is None else (now - date).total_seconds()


def is_foreign(body: bytes) -> bool:
    """Whether a refusal is not in GitHub's form, JSON with its words: something in between gave it."""
    return bool(body) and _refusal(body) is None


def error_message(status: int, body: bytes) -> str:
    """GitHub's own words on one short line: no control characters, nothing that looks like a token."""
    answer = _refusal(body)
    if answer is None:
        return f"HTTP {status}"
    text = ": ".join(part for part in (answer.message, "; ".join(_details(answer.errors))) if part)
    clean = _TOKEN.sub("[token]", _CONTROL.sub(" ", text)).strip()
    return clean[:MAX_MESSAGE_CHARS] or f"HTTP {status}"


def _refusal(body: bytes) -> _ErrorBody | None:
    try:
        return msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _details(errors: msgspec.Raw) -> list[str]:
    """GitHub's description knows two forms, and more are met."""
    try:
        details = msgspec.json.decode(errors, type=list[_ErrorDetail | str])
    except (msgspec.MsgspecError, RecursionError):
        return []
    return [text for detail in details if (text := detail if isinstance(detail, str) else detail.message)]
