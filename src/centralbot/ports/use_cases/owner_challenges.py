"""For owners: a repository's challenges, what happened to each, and a maintainer's decision about one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.effects import AuditEvent
from centralbot.domain.errors import Forbidden, NotFound, ValidationError
from centralbot.domain.gating import DecisionContext
from centralbot.ports.admin import Repositories, Whitelist
from centralbot.ports.challenges import Challenges, Reports, StoredProof
from centralbot.ports.people import PeopleOnGitHub
from centralbot.ports.use_cases.accounts import Accounts, Caller, Rights
from centralbot.ports.use_cases.challenges import ChallengeService
from centralbot.ports.use_cases.owner import PAGE, ManagedRepositories, ManagedRepository, Owner, OwnerWhitelist, names
from centralbot.ports.use_cases.validation import MAX_EXTEND_S, MAX_EXTENDED_S, MIN_EXTEND_S


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengePage:
    """Some challenges, newest first; ``cursor`` is where the next page begins, None at the end."""

    challenges: Sequence[Challenge]
    cursor: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeStory:
    """One challenge with all that is known of it: its history and proofs, oldest first, and who is who."""

    challenge: Challenge
    managed: ManagedRepository
    history: Sequence[AuditEvent]
    proofs: Sequence[StoredProof]
    logins: Mapping[int, str]


class OwnerChallenges:
    """Challenges. All raise Unauthenticated and Unavailable.

    A challenge of a repository that the caller may not manage is NotFound, like one that does not exist.
    """

    def __init__(
        self, *, managed: ManagedRepositories, challenges: Challenges, reports: Reports, verdicts: ChallengeService
    ) -> None:
        self._managed = managed
        self._challenges = challenges
        self._reports = reports
        self._verdicts = verdicts

    async def of_repository(
        self, caller: Caller, repo_id: int, *, status: ChallengeStatus | None = None, before: UUID | None = None
    ) -> ChallengePage:
        """A page of a repository's. Raises Forbidden, and ValidationError where ``before`` is none of them."""
        await self._managed.open(caller, repo_id)
        if before is not None:
            await self._check_cursor(repo_id, before)
        found = await self._challenges.search(repo_id=repo_id, status=status, before=before, limit=PAGE + 1)
        page = found[:PAGE]
        return ChallengePage(challenges=page, cursor=page[-1].id if len(found) > PAGE else None)

    async def _check_cursor(self, repo_id: int, before: UUID) -> None:
        try:
            known = (await self._challenges.get(before)).repo_id == repo_id
        except NotFound:
            known = False
        if not known:
            raise ValidationError("cursor: not one that this list gave; leave it out to begin anew")

    async def story(self, caller: Caller, challenge_id: UUID) -> ChallengeStory:
        """One challenge. Raises NotFound."""
        challenge, managed = await self._enter(caller, challenge_id)
        history = await self._challenges.history(challenge_id)
        return ChallengeStory(
            challenge=challenge,
            managed=managed,
            history=history,
            proofs=await self._reports.proofs(challenge_id),
            logins={challenge.author_id: challenge.author_login} | await names(self._reports, history),
        )

    async def exempt(self, caller: Caller, challenge_id: UUID) -> Challenge:
        """Let the author in. Raises NotFound, ChallengeNotPending."""
        await self._enter(caller, challenge_id)
        return await self._verdicts.exempt(challenge_id, actor=caller.actor)

    async def cancel(self, caller: Caller, challenge_id: UUID) -> Challenge:
        """Cancel the check. Raises NotFound, ChallengeNotPending."""
        await self._enter(caller, challenge_id)
        return await self._verdicts.cancel(challenge_id, actor=caller.actor)

    async def extend(self, caller: Caller, challenge_id: UUID, *, by_s: int | None = None) -> Challenge:
        """Give more time, by default as much as the repository gives anybody.

        Raises NotFound, ChallengeNotPending, ValidationError.
        """
        challenge, managed = await self._enter(caller, challenge_id)
        by_s = max(MIN_EXTEND_S, managed.config.window_s) if by_s is None else by_s
        if not MIN_EXTEND_S <= by_s <= MAX_EXTEND_S:
            raise ValidationError(f"by_s: expected a number of seconds from {MIN_EXTEND_S} to {MAX_EXTEND_S} (30 days)")
        if challenge.window_s + by_s > MAX_EXTENDED_S:
            raise ValidationError("by_s: a challenge lasts at most a year, all extensions together; exempt its author")
        return await self._verdicts.extend(challenge_id, by_s=by_s, actor=caller.actor)

    async def _enter(self, caller: Caller, challenge_id: UUID) -> tuple[Challenge, ManagedRepository]:
        nothing = NotFound("there is no such challenge")
        try:
            challenge = await self._challenges.get(challenge_id)
        except NotFound:
            raise nothing from None
        try:
            return challenge, await self._managed.open(caller, challenge.repo_id)
        except Forbidden:
            raise nothing from None


@dataclass(frozen=True, slots=True)
class OwnerServices:
    """Everything that an owner or a maintainer can do."""

    owner: Owner
    whitelist: OwnerWhitelist
    challenges: OwnerChallenges


def open_owner_services(
    *,
    repositories: Repositories,
    whitelist: Whitelist,
    challenges: Challenges,
    reports: Reports,
    verdicts: ChallengeService,
    context: DecisionContext,
    accounts: Accounts,
    people: PeopleOnGitHub,
    rights: Rights,
    kinds: Mapping[str, str],
) -> OwnerServices:
    """The services over a store and GitHub. ``kinds``: each registered proof and what an owner reads beside it."""
    managed = ManagedRepositories(repositories, rights, context)
    return OwnerServices(
        Owner(managed=managed, accounts=accounts, people=people, reports=reports, kinds=kinds),
        OwnerWhitelist(managed=managed, accounts=accounts, people=people, whitelist=whitelist),
        OwnerChallenges(managed=managed, challenges=challenges, reports=reports, verdicts=verdicts),
    )
