"""The owner's desk: whom a repository lets through."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from centralbot.domain.errors import NotFound, ValidationError
from centralbot.domain.events import Actor
from centralbot.ports.driven.admin import Whitelist, WhitelistEntry
from centralbot.ports.driven.people import PeopleOnGitHub
from centralbot.ports.driving.accounts import Accounts, Caller
from centralbot.ports.driving.configuring import MAX_RESOLVE, MAX_WHITELIST, cleaned_login, whitelist_problem
from centralbot.ports.driving.owner import AT_ONCE, Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Accounts found for logins, and the logins, as they were given, for which there is none."""

    found: Sequence[Actor]
    unresolved: Sequence[str]


class OwnerWhitelist:
    """A repository's whitelist. All raise Forbidden, Unauthenticated and Unavailable."""

    def __init__(self, *, desk: Desk, accounts: Accounts, people: PeopleOnGitHub, whitelist: Whitelist) -> None:
        self._desk = desk
        self._accounts = accounts
        self._people = people
        self._whitelist = whitelist

    async def entries(self, caller: Caller, repo_id: int) -> Sequence[WhitelistEntry]:
        """All entries, by login."""
        await self._desk.enter(caller, repo_id)
        return await self._whitelist.entries(repo_id)

    async def replace(self, caller: Caller, repo_id: int, users: Sequence[Actor]) -> Sequence[WhitelistEntry]:
        """Make the whitelist exactly this, at once. Raises ValidationError."""
        await self._desk.enter(caller, repo_id)
        if problem := whitelist_problem(users):
            raise ValidationError(problem)
        await self._whitelist.replace(repo_id, users, actor=caller.actor)
        return await self._whitelist.entries(repo_id)

    async def add(self, caller: Caller, repo_id: int, logins: Sequence[str]) -> Resolved:
        """Let these accounts through: all of them, or none where a login has no account. Raises ValidationError."""
        resolved = await self.resolve(caller, repo_id, logins)
        if resolved.unresolved:
            return resolved
        known = {entry.user.id for entry in await self._whitelist.entries(repo_id)}
        if len(known | {user.id for user in resolved.found}) > MAX_WHITELIST:
            raise ValidationError(f"logins: a whitelist has at most {MAX_WHITELIST} entries")
        for user in resolved.found:
            await self._whitelist.add(repo_id, user, actor=caller.actor)
        return resolved

    async def remove(self, caller: Caller, repo_id: int, user_id: int) -> None:
        """Let somebody through no longer. Raises NotFound where they are not on it."""
        await self._desk.enter(caller, repo_id)
        if not await self._whitelist.remove(repo_id, user_id, actor=caller.actor):
            raise NotFound(f"user {user_id} is not on this whitelist")

    async def resolve(self, caller: Caller, repo_id: int, logins: Sequence[str]) -> Resolved:
        """The accounts of these logins, as GitHub knows them now. Raises ValidationError for too many."""
        await self._desk.enter(caller, repo_id)
        if len(logins) > MAX_RESOLVE:
            raise ValidationError(f"logins: at most {MAX_RESOLVE} at once; these are {len(logins)}")
        fresh = await self._accounts.fresh(caller)
        turn = asyncio.Semaphore(AT_ONCE)

        async def account(login: str) -> Actor | None:
            async with turn:
                return await self._people.account(fresh.access_token, login)

        asked = list(dict.fromkeys(login.lower() for given in logins if (login := cleaned_login(given))))
        answers = dict(zip(asked, await asyncio.gather(*(account(login) for login in asked)), strict=True))
        found: dict[int, Actor] = {}
        unresolved: dict[str, None] = {}
        for given in logins:
            user = answers.get((cleaned_login(given) or "").lower())
            if user is None:
                unresolved[given] = None
            else:
                found[user.id] = user
        return Resolved(found=list(found.values()), unresolved=list(unresolved))
