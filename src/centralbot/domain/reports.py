"""What an owner reads about what the gate did: counts, each with one definition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from centralbot.domain.challenge import ChallengeStatus

_PASSED = frozenset({ChallengeStatus.VERIFIED, ChallengeStatus.EXEMPT})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowGroup:
    """So many challenges of shadow mode alike. ``asked``: they had a deadline; ``merged``: their pull request was."""

    status: ChallengeStatus
    asked: bool
    merged: bool
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """What shadow mode would have done since ``since``.

    ``challenged`` pull requests would have been asked; ``passed`` were let through, asked or not.
    ``would_close_merged`` of ``would_close`` were merged all the same: those closes would have been wrong.
    """

    since: datetime
    challenged: int
    would_close: int
    would_close_merged: int
    passed: int


def shadow_report(since: datetime, groups: Iterable[ShadowGroup]) -> ShadowReport:
    """Sum up. Who was let through at once was never asked."""
    known = tuple(groups)
    closes = [group for group in known if group.status is ChallengeStatus.TIMED_OUT_CLOSED]
    return ShadowReport(
        since=since,
        challenged=sum(group.count for group in known if group.asked),
        would_close=sum(group.count for group in closes),
        would_close_merged=sum(group.count for group in closes if group.merged),
        passed=sum(group.count for group in known if group.status in _PASSED),
    )
