"""The outbox in memory, and what the sweeper does."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from tests.doubles.memory.state import State, apply, bury_notice, cancel_queued, cancel_unnoticed

from centralbot.domain import outbox
from centralbot.domain.challenge import CancelReason, ChallengeStatus, is_due, noticed
from centralbot.domain.dedup import SINGLE_USE_MARGIN, SignatureUse, replay_horizon
from centralbot.domain.errors import ActionNotHeld
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.outbox import ALREADY_CLOSED, SETTLED, Action, ActionStatus, ActionType, Settlement
from centralbot.ports.challenges import DecideDue, Retention
from centralbot.ports.outbox import ClaimRequest


class MemoryOutbox:
    """See :class:`~centralbot.ports.outbox.Outbox`."""

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


T = TypeVar("T")


class MemoryUpkeep:
    """See :class:`~centralbot.ports.challenges.Upkeep`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def sweep_due(self, decide: DecideDue, *, limit: int) -> tuple[int, int]:
        state, now = self._state, self._state.now()
        due = sorted(
            ((c.deadline_at, c.id) for c in state.challenges.values() if c.deadline_at and is_due(c, now=now)),
        )[:limit]
        positions = Counter(a.repo_id for a in state.outstanding() if a.action_type is ActionType.CLOSE_PR_WITH_COMMENT)
        decisions = []
        for _, challenge_id in due:
            challenge = state.challenges[challenge_id]
            effects = decide(state.facts(challenge), positions[challenge.repo_id])
            decisions.append(effects)
            if effects.changed is not None and effects.changed.challenge.status is ChallengeStatus.TIMED_OUT_CLOSED:
                positions[challenge.repo_id] += 1  # who is let go takes no place among the closes
        for effects in decisions:
            apply(state, effects)
        became = Counter(state.challenges[challenge_id].status for _, challenge_id in due)
        timed_out = became[ChallengeStatus.TIMED_OUT_CLOSED]
        return timed_out, became.total() - timed_out

    async def rescue_expired(self, *, max_attempts: int, limit: int) -> tuple[int, int]:
        state, now = self._state, self._state.now()
        lost = [a for a in state.outstanding() if a.status is ActionStatus.CLAIMED and not state.is_live(a)]
        became: Counter[ActionStatus] = Counter()
        for action in sorted(lost, key=lambda action: action.run_at)[:limit]:
            after = outbox.expire(action, max_attempts=max_attempts, now=now)
            state.put_action(after)
            became[after.status] += 1
            if after.status is ActionStatus.FAILED:
                bury_notice(state, after)
        worn = [a for a in state.outstanding() if a.status is ActionStatus.PENDING and a.attempts >= max_attempts]
        for action in worn[: limit - len(lost[:limit])]:  # the limit was lowered
            code = action.failure_code or "ATTEMPTS_USED_UP"
            dead = outbox.fail(action, code=code, message=action.failure_message, now=now)
            state.put_action(dead)
            became[dead.status] += 1
            bury_notice(state, dead)
        return became.total() - became[ActionStatus.FAILED], became[ActionStatus.FAILED]

    async def cancel_orphaned(self, *, limit: int) -> int:
        state = self._state
        strays = [(action, why) for action in state.queued() if (why := self._astray(action)) is not None][:limit]
        for action, why in strays:
            state.put_action(outbox.cancel(action, reason=why, now=state.now()))
            if action.action_type is ActionType.UPSERT_PR_COMMENT:
                cancel_unnoticed(state, action, why)
        return len(strays)

    async def prune(self, retention: Retention, *, limit: int) -> int:
        state = self._state
        horizon = replay_horizon(state.now())
        deliveries = _some(
            (k for k, d in state.deliveries.items() if d.received_at < retention.deliveries_before), limit
        )
        for key in deliveries:
            del state.deliveries[key]
        signatures = _some((use for use in state.signatures if use.signed_at < horizon), limit)
        state.signatures.difference_update(signatures)
        before = retention.actions_before
        actions = _some(
            (i for i, a in state.actions.items() if a.status in SETTLED and a.settled_at and a.settled_at < before),
            limit,
        )
        for action_id in actions:
            action = state.actions[action_id]
            if action.action_type is ActionType.CLOSE_PR_WITH_COMMENT and action.challenge_id is not None:
                state.pruned_closes[action.challenge_id] = state.close_state(action.challenge_id)
            del state.actions[action_id]
        audit = _some((event.id for event in state.audit if event.at < retention.audit_before), limit)
        gone = frozenset(audit)
        state.audit[:] = [event for event in state.audit if event.id not in gone]
        now = state.now()
        sessions = _some((key for key, it in state.sessions.items() if it.expires_at < now), limit)
        for digest in sessions:
            del state.sessions[digest]
        uses = _some((key for key, at in state.single_uses.items() if at < now - SINGLE_USE_MARGIN), limit)
        for use in uses:
            del state.single_uses[use]
        return len(deliveries) + len(signatures) + len(actions) + len(audit) + len(sessions) + len(uses)

    def _astray(self, action: Action) -> CancelReason | None:
        installation = self._state.installations.get(action.installation_id)
        if installation is not None and installation.status is InstallationStatus.DELETED:
            return CancelReason.UNINSTALLED
        row = self._state.repositories.get((action.installation_id, action.repo_id))
        if row is not None and not row.active:
            return CancelReason.REPOSITORY_REMOVED
        is_close = action.action_type is ActionType.CLOSE_PR_WITH_COMMENT
        return CancelReason.SWITCHED_OFF if is_close and self._state.is_off(action.repo_id) else None


def _some(items: Iterable[T], limit: int) -> list[T]:
    return list(islice(items, limit))
