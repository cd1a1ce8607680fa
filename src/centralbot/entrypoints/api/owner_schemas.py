"""The owner API's schemas (contract section 5), and the way from them to domain values and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.effects import AuditEvent
from centralbot.domain.events import Actor
from centralbot.domain.trace import sentence
from centralbot.ports.admin import WhitelistEntry
from centralbot.ports.people import RepoRole
from centralbot.ports.use_cases.owner import AppStatus, AuditPage, OwnRepository, Resolved, person
from centralbot.ports.use_cases.owner_challenges import ChallengePage
from centralbot.ports.use_cases.validation import MAX_EXTEND_S, MAX_RESOLVE, MAX_WHITELIST, MIN_EXTEND_S

GitHubId = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Login = Annotated[str, Meta(min_length=1, max_length=110)]


class MeAnswer(Struct, gc=False):
    github_user_id: int
    github_login: str
    via: str
    """``session`` or ``bearer``."""


class AppStatusAnswer(Struct, gc=False):
    installed: bool
    installation_id: int | None
    installation_account_login: str | None
    installation_account_type: str | None
    repo_connected: bool


class WireOwnRepository(Struct, gc=False):
    repo_id: int
    full_name: str
    installation_id: int
    role: RepoRole
    mode: Mode
    connected: bool


class RepositoriesAnswer(Struct, gc=False):
    repositories: list[WireOwnRepository]


class WireAccount(Struct, gc=False):
    github_user_id: GitHubId
    github_login: Login


class WhitelistBody(Struct, gc=False):
    entries: Annotated[list[WireAccount], Meta(max_length=MAX_WHITELIST)]


class WhitelistAnswer(Struct, gc=False):
    entries: list[WireAccount]


class LoginsBody(Struct, gc=False):
    logins: Annotated[list[str], Meta(max_length=MAX_RESOLVE)]


class LoginsAnswer(Struct, gc=False):
    resolved: list[WireAccount]
    unresolved: list[str]


class ExtendBody(Struct, frozen=True, gc=False):
    by_s: Annotated[int, Meta(ge=MIN_EXTEND_S, le=MAX_EXTEND_S)] | None = None


class WireChallenge(Struct, gc=False):
    id: UUID
    repo_id: int
    repo_full_name: str
    pr_number: int
    html_url: str
    head_sha: str
    author: WireAccount
    mode: Mode
    status: ChallengeStatus
    reason: str | None
    window_s: int
    verification: list[str]
    created_at: datetime
    updated_at: datetime
    deadline_at: datetime | None


class ChallengesAnswer(Struct, gc=False):
    challenges: list[WireChallenge]
    next_cursor: UUID | None


class WireEvent(Struct, gc=False):
    id: UUID
    at: datetime
    event: str
    actor: str
    actor_login: str | None
    sentence: str
    pr_number: int | None
    challenge_id: UUID | None
    detail: dict[str, str | int | bool | None]


class AuditAnswer(Struct, gc=False):
    events: list[WireEvent]
    next_cursor: UUID | None


def app_status_answer(status: AppStatus) -> AppStatusAnswer:
    return AppStatusAnswer(
        installed=status.installed,
        installation_id=status.installation_id,
        installation_account_login=status.account_login,
        installation_account_type=status.account_type,
        repo_connected=status.repo_connected,
    )


def repositories_answer(found: Sequence[OwnRepository]) -> RepositoriesAnswer:
    return RepositoriesAnswer(
        [
            WireOwnRepository(
                repo_id=it.access.repo_id,
                full_name=it.access.full_name,
                installation_id=it.access.installation_id,
                role=it.access.role,
                mode=it.mode,
                connected=it.connected,
            )
            for it in found
        ]
    )


def users(body: WhitelistBody) -> list[Actor]:
    return [Actor(id=entry.github_user_id, login=entry.github_login) for entry in body.entries]


def account(user: Actor) -> WireAccount:
    return WireAccount(github_user_id=user.id, github_login=user.login)


def whitelist_answer(entries: Sequence[WhitelistEntry]) -> WhitelistAnswer:
    return WhitelistAnswer([account(it.user) for it in entries])


def logins_answer(found: Resolved) -> LoginsAnswer:
    return LoginsAnswer([account(user) for user in found.found], list(found.unresolved))


def challenge_answer(it: Challenge) -> WireChallenge:
    return WireChallenge(
        id=it.id,
        repo_id=it.repo_id,
        repo_full_name=it.repo_full_name,
        pr_number=it.pr_number,
        html_url=it.html_url,
        head_sha=it.head_sha,
        author=WireAccount(it.author_id, it.author_login),
        mode=it.mode,
        status=it.status,
        reason=it.reason,
        window_s=it.window_s,
        verification=list(it.verification),
        created_at=it.created_at,
        updated_at=it.updated_at,
        deadline_at=it.deadline_at,
    )


def challenges_answer(page: ChallengePage) -> ChallengesAnswer:
    return ChallengesAnswer([challenge_answer(it) for it in page.challenges], page.cursor)


def audit_answer(page: AuditPage) -> AuditAnswer:
    return AuditAnswer([_event(event, page.logins) for event in page.events], page.cursor)


def _event(event: AuditEvent, logins: Mapping[int, str]) -> WireEvent:
    return WireEvent(
        id=event.id,
        at=event.at,
        event=event.event,
        actor=event.actor,
        actor_login=logins.get(person(event.actor) or 0),
        sentence=sentence(event, logins),
        pr_number=event.pr_number,
        challenge_id=event.challenge_id,
        detail=dict(event.detail),
    )
