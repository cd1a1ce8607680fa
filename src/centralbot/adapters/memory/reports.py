"""What an owner reads about a repository, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from centralbot.adapters.memory.state import State
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.effects import AuditEvent
from centralbot.domain.gating import Reason
from centralbot.ports.driven.reports import MAX_REPORT_DAYS, ShadowReport, StoredProof

PASSED = (ChallengeStatus.VERIFIED, ChallengeStatus.EXEMPT)


class MemoryReports:
    """See :class:`~centralbot.ports.driven.reports.Reports`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def audit(self, repo_id: int, *, before: UUID | None = None, limit: int = 50) -> Sequence[AuditEvent]:
        found = [e for e in self._state.audit if e.repo_id == repo_id and (before is None or e.id < before)]
        return sorted(found, key=lambda event: event.id, reverse=True)[:limit]

    async def shadow(self, repo_id: int, *, days: int = 7) -> ShadowReport:
        state = self._state
        since = state.now() - timedelta(days=min(days, MAX_REPORT_DAYS))
        shadows = [
            it for it in state.challenges.values() if it.repo_id == repo_id and it.is_shadow and it.created_at >= since
        ]
        merged = {taken.closed for taken in state.deliveries.values() if taken.reason == Reason.MERGED}
        closes = [it for it in shadows if it.status is ChallengeStatus.TIMED_OUT_CLOSED]
        return ShadowReport(
            since=since,
            challenged=sum(it.deadline_at is not None for it in shadows),
            would_close=len(closes),
            would_close_merged=sum((it.repo_id, it.pr_number) in merged for it in closes),
            passed=sum(it.status in PASSED for it in shadows),
        )

    async def outcomes(self, repo_id: int, *, days: int = 7) -> Mapping[ChallengeStatus, int]:
        since = self._state.now() - timedelta(days=min(days, MAX_REPORT_DAYS))
        found = [it for it in self._state.challenges.values() if it.repo_id == repo_id and it.created_at >= since]
        return Counter(it.status for it in found if not it.is_shadow)

    async def proofs(self, challenge_id: UUID) -> Sequence[StoredProof]:
        return [proof for (of, _), proof in self._state.proofs.items() if of == challenge_id]

    async def logins(self, user_ids: Sequence[int]) -> dict[int, str]:
        entries = sorted(self._state.whitelist.values(), key=lambda entry: entry.added_at)
        known = {entry.user.id: entry.user.login for entry in entries} | self._state.logins
        return {user_id: known[user_id] for user_id in user_ids if user_id in known}
