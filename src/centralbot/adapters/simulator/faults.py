"""What can be made to go wrong: one list of faults, each with what it matches and what it does.

A fault is spent in order: the first ``skip`` matches pass untouched, then ``count`` of them (None: all) are hit, each
with ``probability``. Several faults may hit one request: latencies add up, the first of the others decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from .http import ApiError, Response
from .limits import secondary

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
