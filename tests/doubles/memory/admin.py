"""What operators and owners need, in memory."""

from __future__ import annotations

import builtins
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from tests.doubles.memory.state import State, audit, put

from centralbot.domain.challenge import is_due
from centralbot.domain.config import RepoConfig, change, to_document
from centralbot.domain.errors import ValidationError
from centralbot.domain.events import Actor
from centralbot.domain.gating import DecisionContext
from centralbot.domain.installation import UNSAID, Installation, InstallationRepository, InstallationStatus
from centralbot.domain.outbox import Action, ActionStatus
from centralbot.domain.results import on_operator_cancel, on_operator_retry
from centralbot.ports.admin import Backlog, RepositoryRecord, ServiceKey, StoredKey, WhitelistEntry


class MemoryServiceKeys:
    """See :class:`~centralbot.ports.admin.ServiceKeys`."""

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
    """See :class:`~centralbot.ports.admin.Health`."""

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


class MemoryRepositories:
    """See :class:`~centralbot.ports.admin.Repositories`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def get(self, repo_id: int) -> RepositoryRecord | None:
        state = self._state
        rows = [row for row in state.repositories.values() if row.repo_id == repo_id]
        config = state.config(repo_id)
        if not rows and config is None:
            return None
        row = max(rows, key=lambda row: (row.active, row.changed_at), default=None)
        installation = None if row is None else state.installations.get(row.installation_id)
        return RepositoryRecord.of(
            repo_id,
            repository=row,
            installation=installation,
            config=config,
            configured_at=state.configured_at.get(repo_id),
        )

    async def list(self) -> Sequence[RepositoryRecord]:
        state = self._state
        known = {row.repo_id for row in state.repositories.values()} | state.config_documents.keys()
        records = [record for repo_id in known if (record := await self.get(repo_id)) is not None]
        return sorted(records, key=lambda record: (record.full_name is None, record.full_name, record.repo_id))

    async def configure(self, repo_id: int, config: RepoConfig, *, actor: str) -> None:
        state, before = self._state, self._state.config(repo_id)
        kept = json.loads(state.config_documents.get(repo_id, "{}"))
        state.config_documents[repo_id] = json.dumps(to_document(config, kept))
        if before != config:
            state.configured_at[repo_id] = state.now()
        audit(state, "repository.configured", actor=actor, repo_id=repo_id, facts=change(before, config))

    async def connect(self, repo_id: int, *, installation_id: int, full_name: str) -> None:
        state = self._state
        installation = state.installations.get(installation_id)
        if installation is None:
            installation = Installation(id=installation_id, status=InstallationStatus.ACTIVE, changed_at=UNSAID)
        if installation.status is InstallationStatus.DELETED:
            raise ValidationError(f"installation {installation_id} was deleted on GitHub; name the current one")
        state.installations[installation_id] = installation
        for key, row in builtins.list(state.repositories.items()):
            if row.repo_id == repo_id and row.active and row.installation_id != installation_id:
                state.repositories[key] = replace(row, active=False, active_since=None)
        known = state.repositories.get((installation_id, repo_id))
        state.repositories[installation_id, repo_id] = InstallationRepository(
            installation_id=installation_id,
            repo_id=repo_id,
            full_name=full_name,
            active=True,
            changed_at=UNSAID if known is None else known.changed_at,
            active_since=known.active_since if known is not None and known.active else state.now(),
        )

    async def installations(self) -> Sequence[Installation]:
        return sorted(self._state.installations.values(), key=lambda installation: installation.id)


class MemoryWhitelist:
    """See :class:`~centralbot.ports.admin.Whitelist`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, repo_id: int, user: Actor, *, actor: str) -> None:
        known = self._state.whitelist.get((repo_id, user.id))
        added_at = self._state.now() if known is None else known.added_at
        self._state.whitelist[repo_id, user.id] = WhitelistEntry(user=user, added_at=added_at)
        audit(self._state, "whitelist.added", actor=actor, repo_id=repo_id, user_id=user.id, login=user.login)

    async def remove(self, repo_id: int, user_id: int, *, actor: str) -> bool:
        gone = self._state.whitelist.pop((repo_id, user_id), None)
        if gone is not None:
            audit(
                self._state, "whitelist.removed", actor=actor, repo_id=repo_id, user_id=user_id, login=gone.user.login
            )
        return gone is not None

    async def replace(self, repo_id: int, users: Sequence[Actor], *, actor: str) -> None:
        wanted = {user.id: user for user in users}
        known = {user_id: entry for (of, user_id), entry in self._state.whitelist.items() if of == repo_id}
        for user_id in known.keys() - wanted.keys():
            await self.remove(repo_id, user_id, actor=actor)
        for user_id, user in wanted.items():
            if user_id in known:
                self._state.whitelist[repo_id, user_id] = replace(known[user_id], user=user)
            else:
                await self.add(repo_id, user, actor=actor)

    async def entries(self, repo_id: int) -> Sequence[WhitelistEntry]:
        found = [entry for (of, _), entry in self._state.whitelist.items() if of == repo_id]
        return sorted(found, key=lambda entry: (entry.user.login.lower(), entry.user.id))


class MemoryActions:
    """See :class:`~centralbot.ports.admin.Actions`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def search(
        self, *, status: ActionStatus | None = None, before: UUID | None = None, limit: int = 100
    ) -> Sequence[Action]:
        found = [
            action
            for action in self._state.actions.values()
            if status in (None, action.status) and (before is None or action.id < before)
        ]
        return sorted(found, key=lambda action: action.id, reverse=True)[:limit]

    async def retry(self, action_id: UUID, *, context: DecisionContext, actor: str) -> Action:
        state = self._state
        action = state.action(action_id)
        challenge = state.about(action)
        decision = on_operator_retry(
            context,
            action,
            None if challenge is None else state.facts(challenge),
            counts=challenge is not None and state.current(*action.pr_key) == challenge,
            rules=state.rules,
            actor=actor,
            now=state.now(),
        )
        return put(state, replace(decision, action=replace(decision.action, seq=state.next_seq())))

    async def cancel(self, action_id: UUID, *, context: DecisionContext, actor: str) -> Action:
        state = self._state
        action = state.action(action_id)
        return put(state, on_operator_cancel(context, action, state.about(action), actor=actor, now=state.now()))
