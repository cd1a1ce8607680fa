"""GitHub as a person sees it: signing in, who somebody is, what they may do with a repository.

Nothing here uses the App's own key: the answers are those that GitHub gives to the person's token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from centralbot.domain.errors import Unauthenticated
from centralbot.domain.events import Actor


class SignInRefused(Unauthenticated):
    """GitHub does not accept this code, token or refresh token (any more): the person must sign in anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTokens:
    """What acts for a person on GitHub. Apps without expiring tokens get no ``refresh_token`` and no expiry."""

    access_token: str = field(repr=False)
    expires_at: datetime | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_at: datetime | None = None


class SignIn(Protocol):
    """The web flow of the GitHub App with PKCE.

    https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
    """

    def authorize_url(self, *, state: str, code_challenge: str, redirect_uri: str, select_account: bool = False) -> str:
        """Where the browser goes to sign in. ``code_challenge`` is the S256 of the verifier (RFC 7636).

        ``select_account``: GitHub shall ask which account, also where one is signed in (``prompt=select_account``).
        """
        ...

    async def exchange(self, code: str, *, code_verifier: str, redirect_uri: str) -> UserTokens:
        """The tokens for the code of a callback; a code serves once. Raises SignInRefused, Unavailable."""
        ...

    async def refresh(self, refresh_token: str) -> UserTokens:
        """New tokens for a refresh token, which serves once. Raises SignInRefused, Unavailable."""
        ...

    async def revoke(self, access_token: str) -> None:
        """Make GitHub forget a token; one that it does not know is no error. Raises Unavailable."""
        ...


class RepoRole(StrEnum):
    """What a person may do with a repository, least first."""

    NONE = "none"
    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"

    @property
    def may_manage(self) -> bool:
        """Whether the contract lets this role configure and overrule: write, maintain or admin."""
        return self in (RepoRole.WRITE, RepoRole.MAINTAIN, RepoRole.ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryAccess:
    """A repository that a person and the App can both reach, and the person's role in it."""

    repo_id: int
    full_name: str
    installation_id: int
    role: RepoRole


class PeopleOnGitHub(Protocol):
    """What GitHub says to a person's token. All raise SignInRefused for a token that it refuses, and Unavailable."""

    async def who(self, access_token: str) -> Actor:
        """Whose token this is."""
        ...

    async def role(self, access_token: str, repo_id: int, *, full_name: str | None) -> RepoRole:
        """Their role in the repository, as GitHub has it now; NONE where they cannot see it or it is gone.

        ``full_name`` is a hint that may be out of date: an answer about another id is never taken.
        """
        ...

    async def repositories(self, access_token: str) -> Sequence[RepositoryAccess]:
        """Every repository of every installation of the App that the person can reach, all pages, by name."""
        ...

    async def account(self, access_token: str, login: str) -> Actor | None:
        """The account of that login (any case), or None."""
        ...
