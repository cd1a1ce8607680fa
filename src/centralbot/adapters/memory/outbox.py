"""The outbox in memory: fair claims, leases, results."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from centralbot.adapters.memory.effects import bury_notice, cancel_queued
from centralbot.adapters.memory.state import State
from centralbot.domain import outbox
from centralbot.domain.challenge import noticed
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.errors import ActionNotHeld
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.outbox import ALREADY_CLOSED, Action, ActionStatus, ActionType, Settlement
from centralbot.ports.driven.outbox import ClaimRequest


class MemoryOutbox:
    """See :class:`~centralbot.ports.driven.outbox.Outbox`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def claim(self, request: ClaimRequest, *, use: SignatureUse | None = None) -> Sequence[Action]:
        state, now = self._state, self._state.now()
        state.check_use(use)
        state.record_use(use)
        claimed = []
        for action in self._chosen(request):
            leased = outbox.claim(
                self._refreshed(action),
                worker_id=request.worker_id,
                token=state.ids.new_id(),
                lease_s=state.rules.lease_s,
                now=now,
            )
            state.put_action(leased)
            claimed.append(leased)
        return claimed

    async def settle(self, settlement: Settlement, *, use: SignatureUse | None = None) -> ActionStatus:
        state, now = self._state, self._state.now()
        state.check_use(use)
        action = state.action(settlement.action_id)
        try:
            after = outbox.settle(
                action, settlement, max_attempts=state.rules.max_attempts, jitter=state.ids.jitter(), now=now
            )
        except ActionNotHeld:
            if not outbox.is_repeat(action, settlement):
                raise
            state.record_use(use)
            return action.status
        state.record_use(use)
        state.put_action(after)
        if settlement.pause_installation_s is not None:
            until = now + timedelta(seconds=settlement.pause_installation_s)
            paused = state.paused_until
            paused[action.installation_id] = max(until, paused.get(action.installation_id, until))
        if after.status is ActionStatus.DONE:
            self._done(after, settlement.comment_id)
        elif after.status is ActionStatus.FAILED:
            bury_notice(state, after)
        return after.status

    async def wait(self, timeout_s: float) -> None:
        """Wakes for whatever is written, and for what falls due by itself (a delay, a lease, a pause)."""
        state, now = self._state, self._state.now()
        times = [action.run_at for action in state.outstanding()] + list(state.paused_until.values())
        next_s = min(((at - now).total_seconds() for at in times if at > now), default=timeout_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(timeout_s, next_s)):
                await state.woken.wait()

    def _chosen(self, request: ClaimRequest) -> list[Action]:
        """One for each installation first, then by due time and order."""
        state = self._state
        outstanding = state.outstanding()
        live = Counter(action.installation_id for action in outstanding if state.is_live(action))
        heads: dict[tuple[int, int], Action] = {}
        for action in outstanding:
            heads.setdefault(action.pr_key, action)
        ready = [action for action in heads.values() if self._is_claimable(action, request)]
        round_of: list[tuple[bool, Action]] = []
        taken_of: Counter[int] = Counter()
        for action in sorted(ready, key=lambda action: (action.run_at, action.seq)):
            taken = taken_of[action.installation_id]
            bound = request.max_per_installation
            if bound is None or live[action.installation_id] + taken < bound:
                round_of.append((taken > 0, action))
                taken_of[action.installation_id] += 1
        return [action for _, action in sorted(round_of, key=lambda pair: pair[0])][: request.limit]

    def _is_claimable(self, action: Action, request: ClaimRequest) -> bool:
        state, now = self._state, self._state.now()
        installation = state.installations.get(action.installation_id)
        return (
            action.action_type in request.action_types
            and outbox.is_ready(action, now=now, max_attempts=state.rules.max_attempts)
            and installation is not None
            and installation.status is InstallationStatus.ACTIVE
            and state.paused_until.get(action.installation_id, now) <= now
        )

    def _refreshed(self, action: Action) -> Action:
        """Since it was queued the repository may have a new name, and its gate comment may have been posted."""
        row = self._state.repositories.get((action.installation_id, action.repo_id))
        challenge = None if action.challenge_id is None else self._state.challenges.get(action.challenge_id)
        comment_id = action.comment_id
        if challenge is not None and action.action_type is ActionType.UPSERT_PR_COMMENT:
            comment_id = comment_id or challenge.gate_comment_id
        return replace(
            action, comment_id=comment_id, repo_full_name=action.repo_full_name if row is None else row.full_name
        )

    def _done(self, action: Action, comment_id: int | None) -> None:
        state = self._state
        challenge = None if action.challenge_id is None else state.challenges.get(action.challenge_id)
        if challenge is None:
            return
        if action.action_type is ActionType.UPSERT_PR_COMMENT:
            told = noticed(challenge, now=state.now(), comment_id=comment_id)
            state.put_challenge(replace(told, gate_comment_id=comment_id or told.gate_comment_id))
        elif action.action_type is ActionType.CLOSE_PR_WITH_COMMENT and action.failure_code == ALREADY_CLOSED:
            # Somebody else had closed it: then it is not ours to reopen.
            cancel_queued(
                state,
                lambda other: (
                    other.challenge_id == challenge.id and other.action_type is ActionType.REOPEN_PR_WITH_COMMENT
                ),
                reason="NOT_CLOSED_BY_US",
            )
