"""What a run of ``sync`` tells: how far it is, and in the end what it found and repaired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

SyncProgress = Callable[[str, int, int], None]
"""Is told how far it is: of what, how many are done, how many there are. Must not raise."""


@dataclass(slots=True, kw_only=True)
class SyncReport:
    """What one run found and repaired. ``failures`` are lines that say what could not be done.

    ``pull_requests`` counts the open ones that were decided, ``pull_requests_gated`` names those that got their check
    only now. ``pull_requests_left_alone`` counts what is older than the gate or than the run looks back,
    as far as GitHub's pages showed it. ``repositories_left_alone`` counts gated ones whose gate's beginning nobody
    knows: GitHub was not asked about them.
    """

    installations: int = 0
    created: list[int] = field(default_factory=list)
    suspended: list[int] = field(default_factory=list)
    unsuspended: list[int] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    repositories: int = 0
    repositories_updated: int = 0
    deliveries: int = 0
    redelivered: list[str] = field(default_factory=list)
    pull_requests: int = 0
    pull_requests_gated: list[str] = field(default_factory=list)
    pull_requests_exempt: int = 0
    pull_requests_left_alone: int = 0
    repositories_left_alone: int = 0
    failures: list[str] = field(default_factory=list)
