"""What can be made to go wrong: planned failures and rate limits."""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from github_simulator.http import ApiError, Response
from github_simulator.model import Json

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


MINT = "apps/create-installation-access-token"


class FaultKind(StrEnum):
    LATENCY = "latency"
    """Answer ``latency_s`` seconds later."""
    STATUS = "status"
    """Answer with ``status`` and ``headers``."""
    SECONDARY_LIMIT = "secondary_limit"
    """Answer with a secondary rate limit: ``status`` (403 or 429), ``retry_after_s`` or None for no header."""
    DROP = "drop"
    """Close the connection without an answer."""
    HANG = "hang"
    """Keep the connection open and never answer."""
    REVOKE_TOKEN = "revoke_token"  # noqa: S105
    """Forget the token that the request came with: 401 until a new one is minted."""
    FRESH_TOKEN = "fresh_token"  # noqa: S105
    """Hits token requests: the token's first ``times`` uses are answered with ``status`` (401 or 403)."""
    DATE_SKEW = "date_skew"
    """Shift the ``Date`` header by ``skew_s`` seconds."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong. ``operation`` is GitHub's operation id (``issues/create-comment``), ``*`` matches.

    With ``after_effect`` a status, drop or hang comes once the request has done its work.
    """

    kind: FaultKind
    operation: str = "*"
    installation_id: int | None = None
    skip: int = 0
    count: int | None = None
    probability: float = 1.0
    after_effect: bool = False
    latency_s: float = 0.0
    status: int = 502
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "Server Error"
    retry_after_s: int | None = None
    times: int = 1
    skew_s: float = 0.0
    hits: int = 0

    def matches(self, operation: str, installation_id: int | None) -> bool:
        if self.installation_id is not None and self.installation_id != installation_id:
            return False
        if self.kind is FaultKind.FRESH_TOKEN:
            return operation == MINT
        if self.kind is FaultKind.REVOKE_TOKEN and (installation_id is None or operation == MINT):
            return False
        return fnmatchcase(operation, self.operation)

    def response(self) -> Response:
        """What a status or limit fault answers."""
        if self.kind is FaultKind.SECONDARY_LIMIT:
            return secondary(429 if self.status == 429 else 403, self.retry_after_s).response()
        return ApiError(self.status, self.message, headers=self.headers).response()


@dataclass(slots=True)
class Plan:
    """What one request has to suffer."""

    latency_s: float = 0.0
    skew_s: float = 0.0
    revoke: bool = False
    refusals: list[int] = field(default_factory=list)
    before: Fault | None = None
    after: Fault | None = None


@dataclass(slots=True, kw_only=True)
class Faults:
    """The faults in force. ``chance`` gives a number in [0, 1)."""

    chance: Callable[[], float]
    active: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> Fault:
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        self.active.clear()

    def plan(self, operation: str, installation_id: int | None) -> Plan:
        """Spend what matches this request."""
        plan = Plan()
        for fault in list(self.active):
            if fault.matches(operation, installation_id) and self._hits(fault):
                _apply(fault, plan)
        return plan

    def _hits(self, fault: Fault) -> bool:
        if fault.skip > 0:
            fault.skip -= 1
            return False
        if fault.count is not None and fault.hits >= fault.count:
            return False
        if fault.probability < 1.0 and self.chance() >= fault.probability:
            return False
        fault.hits += 1
        return True


def _apply(fault: Fault, plan: Plan) -> None:
    if fault.kind is FaultKind.LATENCY:
        plan.latency_s += fault.latency_s
    elif fault.kind is FaultKind.DATE_SKEW:
        plan.skew_s += fault.skew_s
    elif fault.kind is FaultKind.REVOKE_TOKEN:
        plan.revoke = True
    elif fault.kind is FaultKind.FRESH_TOKEN:
        plan.refusals += [401 if fault.status == 401 else 403] * fault.times
    elif fault.after_effect:
        plan.after = plan.after or fault
    else:
        plan.before = plan.before or fault
