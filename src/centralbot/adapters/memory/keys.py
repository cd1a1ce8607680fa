"""Service keys and health in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from centralbot.adapters.memory.state import State
from centralbot.domain.challenge import is_due
from centralbot.domain.errors import ValidationError
from centralbot.domain.outbox import ActionStatus
from centralbot.ports.driven.admin import Backlog, ServiceKey, StoredKey


class MemoryServiceKeys:
    """See :class:`~centralbot.ports.driven.admin.ServiceKeys`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def create(self, key_id: str, signing_key: bytes, *, allow_unbound: bool) -> ServiceKey:
        if key_id in self._state.keys:
            raise ValidationError(f"key id {key_id} is taken; choose another")
        key = ServiceKey(
            key_id=key_id, signing_key=signing_key, allow_unbound=allow_unbound, created_at=self._state.now()
        )
        self._state.keys[key_id] = key
        return key

    async def list(self) -> Sequence[StoredKey]:
        return [
            StoredKey(
                key_id=key.key_id,
                allow_unbound=key.allow_unbound,
                created_at=key.created_at,
                revoked_at=key.revoked_at,
                readable=True,
            )
            for key in self._state.keys.values()
        ]

    async def revoke(self, key_id: str) -> bool:
        key = await self.find_active(key_id)
        if key is not None:
            self._state.keys[key_id] = replace(key, revoked_at=self._state.now())
        return key is not None

    async def find_active(self, key_id: str) -> ServiceKey | None:
        key = self._state.keys.get(key_id)
        return key if key is not None and key.revoked_at is None else None


class MemoryHealth:
    """See :class:`~centralbot.ports.driven.admin.Health`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def check(self) -> str:
        return "memory: nothing outlives this process"

    async def now(self) -> datetime:
        return self._state.now()

    async def backlog(self) -> Backlog:
        state, now = self._state, self._state.now()
        outstanding = state.outstanding()
        return Backlog(
            by_status=Counter(action.status.value for action in outstanding),
            oldest_pending_s=self._oldest_s(ActionStatus.PENDING),
            oldest_claimed_s=self._oldest_s(ActionStatus.CLAIMED),
            due_challenges=sum(is_due(challenge, now=now) for challenge in state.challenges.values()),
        )

    def _oldest_s(self, status: ActionStatus) -> float | None:
        state, now = self._state, self._state.now()
        ages = ((now - action.created_at).total_seconds() for action in state.outstanding() if action.status is status)
        return max(ages, default=None)
