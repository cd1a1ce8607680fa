"""The outbox in memory, and what the sweeper does."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice
from typing import TypeVar

from tests.doubles.memory.state import State, apply, put

from centralbot.domain.actions import ActionType
from centralbot.domain.challenge import ChallengeStatus, is_due
from centralbot.domain.config import Mode
from centralbot.domain.dedup import NONCE_MARGIN, SignatureUse, replay_horizon
from centralbot.domain.outbox import SETTLED, Action, ActionStatus, Settlement, is_live, needs_rescue
from centralbot.domain.results import hand_out, on_orphaned, on_rescue, on_result, orphaned
from centralbot.domain.verdicts import close_state, worth_keeping
from centralbot.ports.challenges import DecideDue, Retention
from centralbot.ports.outbox import ClaimRequest

T = TypeVar("T")


class MemoryOutbox:
    """See :class:`~centralbot.ports.outbox.Outbox`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def claim(self, request: ClaimRequest, *, use: SignatureUse | None = None) -> Sequence[Action]:
        state = self._state
        state.check_use(use)
        state.record_use(use)
        claimed = self._chosen(request)
        for action in claimed:
            state.put_action(action)
        return claimed

    async def settle(self, settlement: Settlement, *, use: SignatureUse | None = None) -> ActionStatus:
        state = self._state
        state.check_use(use)
        action = state.action(settlement.action_id)
        challenge = state.about(action)
        decision = on_result(
            state.context,
            settlement,
            action,
            challenge,
            standing=None if challenge is None else state.standing(challenge),
            paused_until=state.paused_until.get(action.installation_id),
            rules=state.rules,
            jitter=state.ids.jitter(),
            now=state.now(),
        )
        state.record_use(use)
        if decision.action is action:
            return action.status
        return put(state, decision, comment_id=settlement.comment_id).status

    async def wait(self, timeout_s: float) -> None:
        """Wakes for whatever is written, and for what falls due by itself (a delay, a lease, a pause)."""
        state, now = self._state, self._state.now()
        times = [action.run_at for action in state.outstanding()] + list(state.paused_until.values())
        next_s = min(((at - now).total_seconds() for at in times if at > now), default=timeout_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(timeout_s, next_s)):
                await state.woken.wait()

    def _chosen(self, request: ClaimRequest) -> list[Action]:
        """Leased: one of each installation first, then by due time and order."""
        now, outstanding = self._state.now(), self._state.outstanding()
        live = Counter(action.installation_id for action in outstanding if is_live(action, now=now))
        heads: dict[tuple[int, int], Action] = {}
        for action in outstanding:
            heads.setdefault(action.pr_key, action)
        round_of: list[tuple[bool, Action]] = []
        taken_of: Counter[int] = Counter()
        for action in sorted(heads.values(), key=lambda action: (action.run_at, action.seq)):
            leased = self._handed_out(action, request)
            taken = taken_of[action.installation_id]
            bound = request.max_per_installation
            if leased is not None and (bound is None or live[action.installation_id] + taken < bound):
                round_of.append((taken > 0, leased))
                taken_of[action.installation_id] += 1
        return [action for _, action in sorted(round_of, key=lambda pair: pair[0])][: request.limit]

    def _handed_out(self, action: Action, request: ClaimRequest) -> Action | None:
        state = self._state
        installation = state.installations.get(action.installation_id)
        if installation is None or action.action_type not in request.action_types:
            return None
        row = state.repositories.get((action.installation_id, action.repo_id))
        challenge = state.about(action)
        config = None if challenge is None else state.config(challenge.repo_id)
        return hand_out(
            action,
            challenge,
            config or state.context.defaults,
            whitelisted=challenge is not None and (challenge.repo_id, challenge.author_id) in state.whitelist,
            installation_status=installation.status,
            paused_until=state.paused_until.get(action.installation_id),
            repo_full_name=None if row is None else row.full_name,
            worker_id=request.worker_id,
            token=state.ids.new_id(),
            rules=state.rules,
            now=state.now(),
        )


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
        is_lost = partial(needs_rescue, max_attempts=max_attempts, now=now)
        lost = [action for action in state.outstanding() if is_lost(action)]
        became: Counter[ActionStatus] = Counter()
        for action in sorted(lost, key=lambda action: action.run_at)[:limit]:
            decision = on_rescue(state.context, action, state.about(action), max_attempts=max_attempts, now=now)
            became[put(state, decision).status] += 1
        return became.total() - became[ActionStatus.FAILED], became[ActionStatus.FAILED]

    async def cancel_orphaned(self, *, limit: int) -> int:
        state, now = self._state, self._state.now()
        free = (action for action in state.outstanding() if not is_live(action, now=now))
        found = [(action, why) for action in free if (why := self._orphaned(action)) is not None][:limit]
        for action, why in found:
            if state.actions[action.id] == action:  # not withdrawn with another's challenge
                put(state, on_orphaned(state.context, action, state.about(action), why=why, now=now))
        return len(found)

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
                kept = worth_keeping(close_state(action, now=state.now()))
                if kept is not None:
                    state.kept_closes[action.challenge_id] = kept
            del state.actions[action_id]
        audit = _some((event.id for event in state.audit if event.at < retention.audit_before), limit)
        gone = frozenset(audit)
        state.audit[:] = [event for event in state.audit if event.id not in gone]
        now = state.now()
        sessions = _some((key for key, it in state.sessions.items() if it.expires_at < now), limit)
        for digest in sessions:
            del state.sessions[digest]
        uses = _some((key for key, at in state.single_uses.items() if at < now - NONCE_MARGIN), limit)
        for use in uses:
            del state.single_uses[use]
        return len(deliveries) + len(signatures) + len(actions) + len(audit) + len(sessions) + len(uses)

    def _orphaned(self, action: Action) -> str | None:
        state = self._state
        installation = state.installations.get(action.installation_id)
        row = state.repositories.get((action.installation_id, action.repo_id))
        config = state.config(action.repo_id)
        return orphaned(
            action,
            installation=None if installation is None else installation.status,
            repository_active=None if row is None else row.active,
            switched_off=config is not None and config.mode is Mode.OFF,
        )


def _some(items: Iterable[T], limit: int) -> list[T]:
    return list(islice(items, limit))
