"""The parts of GitHub's answers to people that we read, and the port's values made from them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from centralbot.domain.events import Actor
from centralbot.ports.driven.people import RepoRole, RepositoryAccess, UserTokens

_LEVELS: Final = tuple(RepoRole)
_BY_PERMISSION: Final = (
    ("admin", RepoRole.ADMIN),
    ("maintain", RepoRole.MAINTAIN),
    ("push", RepoRole.WRITE),
    ("triage", RepoRole.TRIAGE),
)


class User(msgspec.Struct):
    id: int
    login: str

    def to_port(self) -> Actor:
        return Actor(id=self.id, login=self.login)


class Repository(msgspec.Struct):
    """``permissions`` are the caller's; ``role_name`` may be a role that an organization made up."""

    id: int
    full_name: str
    permissions: dict[str, bool] | None = None
    role_name: str | None = None

    @property
    def role(self) -> RepoRole:
        """Never more than ``permissions`` say; without them the caller can read, as everybody can what is public."""
        held = self.permissions or {}
        granted = next((role for name, role in _BY_PERMISSION if held.get(name) is True), RepoRole.READ)
        named = _LEVELS.index(RepoRole(self.role_name)) if self.role_name in _LEVELS else len(_LEVELS)
        return _LEVELS[max(min(_LEVELS.index(granted), named), _LEVELS.index(RepoRole.READ))]

    def to_port(self, installation_id: int) -> RepositoryAccess:
        return RepositoryAccess(
            repo_id=self.id, full_name=self.full_name, installation_id=installation_id, role=self.role
        )


class RepositoryPage(msgspec.Struct):
    repositories: list[Repository]


class _Installation(msgspec.Struct):
    id: int


class InstallationPage(msgspec.Struct):
    installations: list[_Installation]


class TokenAnswer(msgspec.Struct):
    """Tokens, or ``error``: both come with status 200. Lifetimes are seconds; absent ones never end."""

    access_token: str = ""
    expires_in: int | None = None
    refresh_token: str | None = None
    refresh_token_expires_in: int | None = None
    error: str = ""

    def to_port(self, now: datetime) -> UserTokens:
        return UserTokens(
            access_token=self.access_token,
            expires_at=_after(now, self.expires_in),
            refresh_token=self.refresh_token,
            refresh_expires_at=_after(now, self.refresh_token_expires_in) if self.refresh_token else None,
        )

    def __repr__(self) -> str:
        """Without the tokens."""
        return f"TokenAnswer(error={self.error!r})"


def _after(now: datetime, lifetime_s: int | None) -> datetime | None:
    return None if lifetime_s is None else now + timedelta(seconds=lifetime_s)
