"""What the sweeper does, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

from centralbot.adapters.memory.effects import apply, bury_notice, cancel_unnoticed
from centralbot.adapters.memory.state import State
from centralbot.domain import outbox
from centralbot.domain.challenge import CancelReason, ChallengeStatus, is_due
from centralbot.domain.dedup import SINGLE_USE_MARGIN, replay_horizon
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.outbox import SETTLED, Action, ActionStatus, ActionType
from centralbot.ports.driven.challenges import DecideDue, Retention

T = TypeVar("T")


class MemoryUpkeep:
    """See :class:`~centralbot.ports.driven.challenges.Upkeep`."""

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

    async def return_expired(self, *, max_attempts: int, limit: int) -> tuple[int, int]:
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

    async def cancel_strays(self, *, limit: int) -> int:
        state = self._state
        strays = [(action, why) for action in state.queued() if (why := self._astray(action)) is not None][:limit]
        for action, why in strays:
            state.put_action(outbox.cancel(action, reason=why, now=state.now()))
            if action.action_type is ActionType.UPSERT_PR_COMMENT:
                cancel_unnoticed(state, action, why)
        return len(strays)

    async def forget(self, retention: Retention, *, limit: int) -> int:
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
                state.forgotten_closes[action.challenge_id] = state.close_state(action.challenge_id)
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
