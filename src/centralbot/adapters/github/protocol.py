"""What GitHub's REST protocol says, sans-I/O: headers and bytes to values, errors and limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec

from centralbot.ports.clock import Clock
from centralbot.ports.github import GitHubRateLimited

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


FIRST_PAUSE_S: Final = 60.0
"""What GitHub asks for when it says nothing else."""

MAX_GUESSED_PAUSE_S: Final = 3_600.0
MAX_TOLD_PAUSE_S: Final = 7_200.0
"""GitHub's window is an hour; a longer pause can only be a broken header."""

SPREAD_S: Final = 10.0
"""Most that chance adds, so that replicas and installations do not all come back in the same second."""

_SWEEP_ABOVE: Final = 1_024
_WORDS: Final = ("rate limit", "abuse detection")
_TOO_QUICKLY: Final = "submitted too quickly"
"""How content that came too fast is refused as "Validation Failed", not in the documentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """The rate-limit headers of one answer; a missing or malformed one is None. Times are Unix seconds."""

    remaining: int | None
    reset_at_s: int | None
    retry_after_s: float | None

    @classmethod
    def of(cls, headers: Mapping[str, str], now: datetime) -> RateLimit:
        return cls(
            remaining=_whole(headers.get("x-ratelimit-remaining", "")),
            reset_at_s=_whole(headers.get("x-ratelimit-reset", "")),
            retry_after_s=_retry_after_s(headers.get("retry-after", ""), now),
        )


def is_rate_limited(status: int, headers: Mapping[str, str], message: str) -> bool:
    """Whether a refusal is a rate limit: 429, or a 403 that says so in its headers or its words, or such a 422."""
    if status == 422:
        return _TOO_QUICKLY in message.lower()
    if status != 403:
        return status == 429
    told = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    return told or any(words in message.lower() for words in _WORDS)


def pause_s(headers: Mapping[str, str], *, now: datetime, hits: int, jitter: float) -> float:
    """Seconds to send nothing. ``hits``: how many limits came before this one without a success in between.

    ``now`` is our clock, used only where GitHub's ``Date`` is missing; ``jitter`` is in [0, 1).
    """
    github_now = server_time(headers) or now
    limit = RateLimit.of(headers, github_now)
    if limit.retry_after_s is not None:
        return min(max(limit.retry_after_s, 1.0), MAX_TOLD_PAUSE_S)
    if limit.remaining == 0 and limit.reset_at_s is not None:
        until_reset_s = max(limit.reset_at_s - github_now.timestamp(), 1.0)
        return min(until_reset_s, MAX_TOLD_PAUSE_S) + jitter * SPREAD_S
    return min(FIRST_PAUSE_S * 2.0 ** min(hits, 30), MAX_GUESSED_PAUSE_S) + jitter * SPREAD_S


class Pauses:
    """Which installations are quiet, in this process. Keys are installation ids; 0 stands for the App itself.

    The outbox tells the other replicas; this stops what this one already holds in its hands.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_s: dict[int, float] = {}
        self._hits: dict[int, int] = {}

    def __len__(self) -> int:
        """How many installations are remembered."""
        return len(self._until_s)

    def hits(self, key: int) -> int:
        """Limits met since the last success."""
        return self._hits.get(key, 0)

    def start(self, key: int, seconds: float) -> None:
        """A limit was met. One that answers a request already under way lengthens the pause, but counts once."""
        now_s = self._clock.monotonic_s()
        if len(self._until_s) >= _SWEEP_ABOVE and key not in self._until_s:
            kept_from_s = now_s - MAX_GUESSED_PAUSE_S
            self._until_s = {one: until_s for one, until_s in self._until_s.items() if until_s > kept_from_s}
            self._hits = {one: hits for one, hits in self._hits.items() if one in self._until_s}
        if self._until_s.get(key, now_s) <= now_s:
            self._hits[key] = self.hits(key) + 1
        self._until_s[key] = max(self._until_s.get(key, now_s), now_s + seconds)

    def succeeded(self, key: int) -> None:
        """GitHub answers this installation again."""
        if self._until_s.get(key, 0.0) <= self._clock.monotonic_s():
            self._until_s.pop(key, None)
            self._hits.pop(key, None)

    def check(self, key: int) -> None:
        """Raise GitHubRateLimited with what is left of a pause, without asking GitHub."""
        left_s = self._until_s.get(key, 0.0) - self._clock.monotonic_s()
        if key in self._until_s and left_s > 0:
            raise GitHubRateLimited("GitHub asked this installation to wait", pause_s=left_s, reason="RATE_LIMITED")


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def _retry_after_s(text: str, now: datetime) -> float | None:
    """Seconds, or an HTTP date (RFC 9110, 10.2.3)."""
    if not text or (seconds := _whole(text)) is not None:
        return None if not text else float(seconds or 0)
    try:
        return (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError):
        return None
