"""GitHub's primary and secondary rate limits.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .http import ApiError
from .model import Json

WINDOW_S = 3600
SECONDARY_DOCS = (
    "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"
)


def secondary(status: int = 403, retry_after_s: int | None = 60) -> ApiError:
    """The answer to going too fast; without ``retry-after`` a caller has to know to wait a minute."""
    headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    return ApiError(status, message, headers=headers, docs=SECONDARY_DOCS)


@dataclass(slots=True)
class Bucket:
    """One caller's hour."""

    limit: int
    reset_at: float
    used: int = 0

    def headers(self) -> dict[str, str]:
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(max(0, self.limit - self.used)),
            "x-ratelimit-reset": str(int(self.reset_at)),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-resource": "core",
        }

    def overview(self) -> Json:
        """The ``rate-limit-overview`` schema."""
        rate = {
            "limit": self.limit,
            "remaining": max(0, self.limit - self.used),
            "reset": int(self.reset_at),
            "used": self.used,
        }
        return {"resources": {"core": rate, "search": {**rate, "limit": 30, "remaining": 30, "used": 0}}, "rate": rate}


@dataclass(slots=True, kw_only=True)
class RateLimits:
    """Counts requests per caller. ``primary`` is for each an hour; the secondary limits are off by default."""

    clock: Callable[[], float]
    primary: int
    secondary_on: bool = False
    content_per_minute: int = 80
    concurrent: int = 100
    status: int = 403
    """What an exhausted primary limit answers: GitHub uses 403 and 429."""
    buckets: dict[str, Bucket] = field(default_factory=dict)
    content: dict[str, deque[float]] = field(default_factory=dict)
    in_flight: Counter[str] = field(default_factory=Counter)

    def bucket(self, key: str) -> Bucket:
        """The caller's present hour, a new one where the last has ended."""
        now = self.clock()
        found = self.buckets.get(key)
        if found is None or found.reset_at <= now:
            found = self.buckets[key] = Bucket(60 if key == "anonymous" else self.primary, now + WINDOW_S)
        return found

    def spend(self, key: str, *, content: bool) -> None:
        """Count one request. Raises ApiError when a limit is used up."""
        bucket = self.bucket(key)
        if bucket.used >= bucket.limit:
            raise ApiError(self.status, f"API rate limit exceeded for {key.replace(' ', ' ID ')}.")
        bucket.used += 1
        if not self.secondary_on:
            return
        if self.in_flight[key] > self.concurrent:
            raise secondary()
        if content:
            self._spend_content(key)

    @contextlib.contextmanager
    def counted(self, key: str) -> Iterator[None]:
        """Count one more request under way for this caller while the block runs."""
        self.in_flight[key] += 1
        try:
            yield
        finally:
            self.in_flight[key] -= 1

    def set_remaining(self, installation_id: int, remaining: int, reset_in_s: float = WINDOW_S) -> None:
        """Leave an installation so many requests until the reset."""
        limit = max(self.primary, remaining)
        self.buckets[f"installation {installation_id}"] = Bucket(
            limit, self.clock() + reset_in_s, used=limit - remaining
        )

    def set_secondary(self, on: bool = True, content_per_minute: int = 80, concurrent: int = 100) -> None:
        self.secondary_on, self.content_per_minute, self.concurrent = on, content_per_minute, concurrent

    def _spend_content(self, key: str) -> None:
        now = self.clock()
        recent = self.content.setdefault(key, deque())
        while recent and recent[0] <= now - 60:
            recent.popleft()
        if len(recent) >= self.content_per_minute:
            raise secondary()
        recent.append(now)
