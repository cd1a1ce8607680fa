"""Who may configure and overrule a repository: GitHub is asked, and believed for at most a minute."""

from __future__ import annotations

import hashlib

from centralbot.domain.errors import Forbidden
from centralbot.ports.driven.clock import Clock
from centralbot.ports.driven.people import PeopleOnGitHub, RepoRole
from centralbot.ports.driving.accounts import Accounts, Caller

GRANTED_S = 60.0
REFUSED_S = 10.0
"""A refusal is kept for a shorter time: whoever was just given the right should not wait a minute."""
MAX_KEPT = 10_000

Key = tuple[bytes, int]


class Rights:
    """Roles by token and repository: a token that may less than its owner gets no more through the cache."""

    def __init__(self, accounts: Accounts, people: PeopleOnGitHub, clock: Clock) -> None:
        self._accounts = accounts
        self._people = people
        self._clock = clock
        self._kept: dict[Key, tuple[float, RepoRole]] = {}

    async def role(self, caller: Caller, repo_id: int, *, full_name: str | None) -> RepoRole:
        """The caller's role now. Raises Unauthenticated, Unavailable."""
        key = (hashlib.sha256(caller.access_token.encode()).digest(), repo_id)
        kept, now_s = self._kept.get(key), self._clock.monotonic_s()
        if kept is not None and now_s < kept[0]:
            return kept[1]
        fresh = await self._accounts.fresh(caller)
        role = await self._people.role(fresh.access_token, repo_id, full_name=full_name)
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        key = (hashlib.sha256(fresh.access_token.encode()).digest(), repo_id)
        self._kept[key] = (now_s + (GRANTED_S if role.may_manage else REFUSED_S), role)
        return role

    async def require_manage(self, caller: Caller, repo_id: int, *, full_name: str | None) -> RepoRole:
        """Raises Forbidden unless the caller has write, maintain or admin, in the same words for every reason."""
        role = await self.role(caller, repo_id, full_name=full_name)
        if not role.may_manage:
            raise Forbidden("you need write, maintain or admin on this repository, as GitHub says it now")
        return role
