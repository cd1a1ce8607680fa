"""For owners: which repositories are theirs, how each is set up, and what is known of it.

Every method takes the caller, and GitHub is asked about their rights before anything is told or changed. Whoever has
none gets the same answer for a repository that is known here, one that is not, and one that does not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.config import Mode, RepoConfig, validate
from centralbot.domain.effects import AuditEvent
from centralbot.domain.errors import NotFound, ValidationError
from centralbot.domain.events import Actor
from centralbot.domain.gating import DecisionContext
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.reports import ShadowReport
from centralbot.ports.admin import Repositories, RepositoryRecord, Whitelist, WhitelistEntry
from centralbot.ports.challenges import Reports
from centralbot.ports.people import PeopleOnGitHub, RepoRole, RepositoryAccess
from centralbot.ports.use_cases.accounts import Accounts, Caller, Rights
from centralbot.ports.use_cases.validation import MAX_RESOLVE, MAX_WHITELIST, cleaned_login, whitelist_problem

PAGE = 50
AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AppStatus:
    """Whether the App is installed where a repository is, by the synced tables alone (contract §5)."""

    installed: bool = False
    installation_id: int | None = None
    account_login: str | None = None
    account_type: str | None = None
    repo_connected: bool = False

    @classmethod
    def of(cls, record: RepositoryRecord | None) -> AppStatus:
        """A suspended or deleted installation counts as none."""
        if record is None or record.installation_status is not InstallationStatus.ACTIVE:
            return cls()
        return cls(
            installed=True,
            installation_id=record.installation_id,
            account_login=record.account_login,
            account_type=record.account_type,
            repo_connected=record.connected,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRepository:
    """A repository of the caller's: GitHub's word about it and ours."""

    access: RepositoryAccess
    mode: Mode
    connected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedRepository:
    """A repository that the caller may manage, with the configuration in force there."""

    repo_id: int
    full_name: str | None
    role: RepoRole
    status: AppStatus
    config: RepoConfig
    configured: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Some events, newest first; ``cursor`` is where the next page begins, None at the end."""

    events: Sequence[AuditEvent]
    logins: Mapping[int, str]
    cursor: UUID | None


class ManagedRepositories:
    """Repositories, opened for callers who may manage them: every service for owners begins here."""

    def __init__(self, repositories: Repositories, rights: Rights, context: DecisionContext) -> None:
        self.repositories = repositories
        self.rights = rights
        self.context = context

    async def open(self, caller: Caller, repo_id: int) -> ManagedRepository:
        """The repository. Raises Forbidden, Unauthenticated, Unavailable."""
        record = await self.repositories.get(repo_id)
        hint = None if record is None else record.full_name
        role = await self.rights.require_manage(caller, repo_id, full_name=hint)
        config = None if record is None else record.config
        return ManagedRepository(
            repo_id=repo_id,
            full_name=hint,
            role=role,
            status=AppStatus.of(record),
            config=config or self.context.defaults,
            configured=config is not None,
        )


class Owner:
    """Repositories and their configuration. All raise Forbidden, Unauthenticated and Unavailable.

    ``kinds``: the registered proofs and what an owner reads beside each.
    """

    def __init__(
        self,
        *,
        managed: ManagedRepositories,
        accounts: Accounts,
        people: PeopleOnGitHub,
        reports: Reports,
        kinds: Mapping[str, str],
    ) -> None:
        self._managed = managed
        self._accounts = accounts
        self._people = people
        self._reports = reports
        self.kinds = kinds

    async def repository(self, caller: Caller, repo_id: int) -> ManagedRepository:
        """One repository."""
        return await self._managed.open(caller, repo_id)

    async def repositories(self, caller: Caller) -> Sequence[OwnRepository]:
        """The caller's repositories where the App is installed and which they may manage, by name."""
        fresh = await self._accounts.fresh(caller)
        mine = [it for it in await self._people.repositories(fresh.access_token) if it.role.may_manage]
        turn = asyncio.Semaphore(AT_ONCE)

        async def joined(access: RepositoryAccess) -> OwnRepository:
            async with turn:
                record = await self._managed.repositories.get(access.repo_id)
            config = None if record is None else record.config
            return OwnRepository(
                access=access,
                mode=(config or self._managed.context.defaults).mode,
                connected=record is not None and record.connected,
            )

        return await asyncio.gather(*(joined(access) for access in mine))

    async def configure(self, caller: Caller, repo_id: int, config: RepoConfig) -> RepoConfig:
        """Set the configuration, for new challenges only. Raises ValidationError with the first wrong field."""
        await self._managed.open(caller, repo_id)
        for field, problem in validate(config, self.kinds).items():
            raise ValidationError(f"{field}: {problem}")
        await self._managed.repositories.configure(repo_id, config, actor=caller.actor)
        return config

    async def shadow(self, caller: Caller, repo_id: int) -> ShadowReport:
        """What shadow mode would have done in the last days."""
        await self._managed.open(caller, repo_id)
        return await self._reports.shadow(repo_id)

    async def outcomes(self, caller: Caller, repo_id: int) -> Mapping[ChallengeStatus, int]:
        """What became of the enforced challenges of the last days."""
        await self._managed.open(caller, repo_id)
        return await self._reports.outcomes(repo_id)

    async def audit(self, caller: Caller, repo_id: int, *, before: UUID | None = None) -> AuditPage:
        """What happened there and who did it, newest first."""
        await self._managed.open(caller, repo_id)
        found = await self._reports.audit(repo_id, before=before, limit=PAGE + 1)
        events = found[:PAGE]
        return AuditPage(
            events=events,
            logins=await names(self._reports, events),
            cursor=events[-1].id if len(found) > PAGE else None,
        )


async def names(reports: Reports, events: Sequence[AuditEvent]) -> dict[int, str]:
    """The logins of the people who did these things: as last known here, else as GitHub's event called them."""
    called: dict[int, str] = {}
    for event in events:
        if (user_id := person(event.actor)) is not None:
            called[user_id] = called.get(user_id) or str(event.detail.get("sender") or "")
    known = await reports.logins(sorted(called)) if called else {}
    return {user_id: login for user_id, login in called.items() if login} | known


def person(actor: str) -> int | None:
    """GitHub's id of the person that the audit names, None where it was no person."""
    scheme, _, number = actor.partition(":")
    return int(number) if scheme == "github" and number.isascii() and number.isdigit() and len(number) < 19 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Accounts found for logins, and the logins, as they were given, for which there is none."""

    found: Sequence[Actor]
    unresolved: Sequence[str]


class OwnerWhitelist:
    """A repository's whitelist. All raise Forbidden, Unauthenticated and Unavailable."""

    def __init__(
        self, *, managed: ManagedRepositories, accounts: Accounts, people: PeopleOnGitHub, whitelist: Whitelist
    ) -> None:
        self._managed = managed
        self._accounts = accounts
        self._people = people
        self._whitelist = whitelist

    async def entries(self, caller: Caller, repo_id: int) -> Sequence[WhitelistEntry]:
        """All entries, by login."""
        await self._managed.open(caller, repo_id)
        return await self._whitelist.entries(repo_id)

    async def replace(self, caller: Caller, repo_id: int, users: Sequence[Actor]) -> Sequence[WhitelistEntry]:
        """Make the whitelist exactly this, at once. Raises ValidationError."""
        await self._managed.open(caller, repo_id)
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
        await self._managed.open(caller, repo_id)
        if not await self._whitelist.remove(repo_id, user_id, actor=caller.actor):
            raise NotFound(f"user {user_id} is not on this whitelist")

    async def resolve(self, caller: Caller, repo_id: int, logins: Sequence[str]) -> Resolved:
        """The accounts of these logins, as GitHub knows them now. Raises ValidationError for too many."""
        await self._managed.open(caller, repo_id)
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
