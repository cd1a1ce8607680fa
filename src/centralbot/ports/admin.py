"""The store as operators need it: repositories, whitelists, actions, keys, health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from centralbot.domain.config import RepoConfig
from centralbot.domain.events import Actor
from centralbot.domain.gating import DecisionContext
from centralbot.domain.installation import Installation, InstallationRepository, InstallationStatus, gated_since
from centralbot.domain.outbox import Action, ActionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryRecord:
    """What is known of a repository. ``config`` is None where none was set; the installation where it is in none.

    ``gated_since``: since when it is in an active installation and its configuration is as it is now, never too
    early; None where one of them is not so, or not known since when (it has no configuration of its own).
    """

    repo_id: int
    full_name: str | None
    installation_id: int | None
    installation_status: InstallationStatus | None
    account_login: str | None
    account_type: str | None
    connected: bool
    config: RepoConfig | None
    gated_since: datetime | None = None

    @classmethod
    def of(
        cls,
        repo_id: int,
        *,
        repository: InstallationRepository | None,
        installation: Installation | None,
        config: RepoConfig | None,
        configured_at: datetime | None,
    ) -> Self:
        """What is known, from what a store has. ``repository``: where it is active, else where it was last."""
        active = installation is not None and installation.status is InstallationStatus.ACTIVE
        account_type = None if installation is None else installation.account_type
        return cls(
            repo_id=repo_id,
            full_name=None if repository is None else repository.full_name,
            installation_id=None if installation is None else installation.id,
            installation_status=None if installation is None else installation.status,
            account_login=None if installation is None else installation.account_login,
            account_type=None if account_type is None else account_type.value,
            connected=active and repository is not None and repository.active,
            config=config,
            gated_since=gated_since(repository, installation, configured_at),
        )


class Repositories(Protocol):
    """Repositories and their configuration."""

    async def get(self, repo_id: int) -> RepositoryRecord | None:
        """What is known, None for a repository that was never seen nor configured."""
        ...

    async def list(self) -> Sequence[RepositoryRecord]:
        """All known repositories, by name."""
        ...

    async def configure(self, repo_id: int, config: RepoConfig, *, actor: str) -> None:
        """Set the configuration. It reaches new challenges only. The same once more changes nothing but the audit."""
        ...

    async def connect(self, repo_id: int, *, installation_id: int, full_name: str) -> None:
        """Record by an operator's word that a repository is in an installation; any event of GitHub overrides it.

        Raises ValidationError for a deleted installation.
        """
        ...

    async def installations(self) -> Sequence[Installation]:
        """Every installation ever heard of, deleted ones included, by id."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WhitelistEntry:
    """Somebody who is exempt, by immutable id; the login is for display."""

    user: Actor
    added_at: datetime


class Whitelist(Protocol):
    """A repository's whitelist."""

    async def add(self, repo_id: int, user: Actor, *, actor: str) -> None:
        """Add or refresh an entry."""
        ...

    async def remove(self, repo_id: int, user_id: int, *, actor: str) -> bool:
        """Remove an entry; False when there was none."""
        ...

    async def replace(self, repo_id: int, users: Sequence[Actor], *, actor: str) -> None:
        """Make the whitelist exactly these (each id once), at once; the audit names who came and who went."""
        ...

    async def entries(self, repo_id: int) -> Sequence[WhitelistEntry]:
        """All entries, by login."""
        ...


class Actions(Protocol):
    """The outbox as an operator sees it, dead letters included."""

    async def search(
        self, *, status: ActionStatus | None = None, before: UUID | None = None, limit: int = 100
    ) -> Sequence[Action]:
        """Newest first."""
        ...

    async def retry(self, action_id: UUID, *, context: DecisionContext, actor: str) -> Action:
        """Bring a dead action back with fresh attempts (:func:`~centralbot.domain.outbox.operator_retry`).

        Where its challenge was canceled for want of just this comment (NOTICE_FAILED) and nothing newer counts for
        the pull request, the action now carries a renewed challenge (:func:`~centralbot.domain.verdicts.renewed`).
        Raises NotFound, IllegalTransition, and ChallengeNotPending for what something newer has overtaken.
        """
        ...

    async def cancel(self, action_id: UUID, *, context: DecisionContext, actor: str) -> Action:
        """Cancel one that is not done. Raises NotFound, IllegalTransition."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceKey:
    """A key that signs internal requests. ``signing_key`` is the 32-byte HMAC key, never shown."""

    key_id: str
    signing_key: bytes
    allow_unbound: bool
    created_at: datetime
    revoked_at: datetime | None = None

    def __repr__(self) -> str:
        return f"ServiceKey(key_id={self.key_id!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A service key as the store has it. ``readable``: whether it was written under the secret key of this process."""

    key_id: str
    allow_unbound: bool
    created_at: datetime
    revoked_at: datetime | None
    readable: bool


class ServiceKeys(Protocol):
    """Service keys, encrypted at rest."""

    async def create(self, key_id: str, signing_key: bytes, *, allow_unbound: bool) -> ServiceKey:
        """Store a new key. Raises ValidationError when the id is taken."""
        ...

    async def list(self) -> Sequence[StoredKey]:
        """All keys, revoked and unreadable ones included, oldest first."""
        ...

    async def revoke(self, key_id: str) -> bool:
        """Revoke at once, everywhere; False when there is no such active key."""
        ...

    async def find_active(self, key_id: str) -> ServiceKey | None:
        """The active key of that id, or None. Raises Unavailable for one that is not readable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is waiting: unsettled actions by status, ages in seconds (None when there are none), due challenges."""

    by_status: Mapping[str, int]
    oldest_pending_s: float | None
    oldest_claimed_s: float | None
    due_challenges: int


class Health(Protocol):
    """Whether the store can serve, and what waits in it."""

    async def check(self) -> str:
        """A line that says what the store is. Raises Unavailable with what is wrong (connection, schema)."""
        ...

    async def now(self) -> datetime:
        """The store's clock."""
        ...

    async def backlog(self) -> Backlog:
        """Counts for metrics; its cost follows what is outstanding."""
        ...
