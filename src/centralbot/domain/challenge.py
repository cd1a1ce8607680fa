"""The challenge: everything about its states and transitions lives in this file.

A challenge is one author's task for one pull request. It starts PENDING. Its clock starts when the gate comment is
known to be posted (``NOTICED``), never before: nobody is timed out unnoticed. A shadow challenge has no comment, so
its clock starts at once. VERIFIED, EXEMPT and CANCELED are terminal and never followed by a close; TIMED_OUT_CLOSED
can still become VERIFIED, late, which reopens the pull request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from centralbot.domain.config import Mode, RepoConfig
from centralbot.domain.errors import ChallengeNotPending, IllegalTransition
from centralbot.domain.events import PullRequestEvent
from centralbot.domain.machine import Table, step


class ChallengeStatus(StrEnum):
    """Where a challenge is; see ``TRANSITIONS``."""

    PENDING = "PENDING"
    VERIFIED = "VERIFIED"
    EXEMPT = "EXEMPT"
    CANCELED = "CANCELED"
    TIMED_OUT_CLOSED = "TIMED_OUT_CLOSED"


class ChallengeEvent(StrEnum):
    VERIFY = "verified"
    EXEMPT = "exempted"
    CANCEL = "canceled"
    TIME_OUT = "due"
    WITHHOLD = "found exempt when acting"


S, E = ChallengeStatus, ChallengeEvent

TRANSITIONS: Table[ChallengeStatus, ChallengeEvent] = {
    S.PENDING: {
        E.VERIFY: S.VERIFIED,
        E.EXEMPT: S.EXEMPT,
        E.CANCEL: S.CANCELED,
        E.TIME_OUT: S.TIMED_OUT_CLOSED,
        E.WITHHOLD: S.EXEMPT,
    },
    S.TIMED_OUT_CLOSED: {E.VERIFY: S.VERIFIED, E.WITHHOLD: S.EXEMPT},
    S.VERIFIED: {},
    S.EXEMPT: {},
    S.CANCELED: {},
}

ACTIVE: frozenset[ChallengeStatus] = frozenset({S.PENDING, S.VERIFIED, S.EXEMPT})
"""At most one challenge of a pull request is in one of these (a partial unique index says so too)."""


class CancelReason(StrEnum):
    """Why a challenge was canceled."""

    PR_CLOSED = "PR_CLOSED"
    PR_MERGED = "PR_MERGED"
    DRAFTED = "CONVERTED_TO_DRAFT"
    UNINSTALLED = "INSTALLATION_DELETED"
    REPOSITORY_REMOVED = "REPOSITORY_REMOVED"
    NOTICE_FAILED = "NOTICE_FAILED"
    MAINTAINER = "MAINTAINER"
    SWITCHED_OFF = "MODE_OFF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One author's task for one pull request. ``reason`` says how it came to its status, once it left PENDING."""

    id: UUID
    installation_id: int
    repo_id: int
    repo_full_name: str
    pr_number: int
    pull_request_id: int
    html_url: str
    author_id: int
    author_login: str
    head_sha: str
    mode: Mode
    window_s: int
    verification: tuple[str, ...]
    status: ChallengeStatus
    reason: str | None
    event_at: datetime
    created_at: datetime
    updated_at: datetime
    deadline_at: datetime | None
    gate_comment_id: int | None

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def is_shadow(self) -> bool:
        return self.mode is Mode.SHADOW


def made(
    event: PullRequestEvent, config: RepoConfig, *, challenge_id: UUID, now: datetime, exempt: str | None = None
) -> Challenge:
    """The challenge of a pull request, not yet noticed; ``exempt`` says why its author is exempt."""
    return Challenge(
        id=challenge_id,
        installation_id=event.installation_id,
        repo_id=event.repository.id,
        repo_full_name=event.repository.full_name,
        pr_number=event.number,
        pull_request_id=event.pull_request_id,
        html_url=event.html_url,
        author_id=event.author.id,
        author_login=event.author.login,
        head_sha=event.head_sha,
        mode=config.mode,
        window_s=config.window_s,
        verification=config.verification,
        status=S.PENDING if exempt is None else S.EXEMPT,
        reason=exempt,
        event_at=event.at,
        created_at=now,
        updated_at=now,
        deadline_at=None,
        gate_comment_id=None,
    )


def transition(challenge: Challenge, event: ChallengeEvent, *, reason: str, now: datetime) -> Challenge:
    """The challenge after ``event``. Raises ChallengeNotPending, and nothing has changed, where that is illegal."""
    try:
        status = step("challenge", TRANSITIONS, challenge.status, event)
    except IllegalTransition as exc:
        raise ChallengeNotPending(f"challenge {challenge.id} is {challenge.status}: it cannot be {event}") from exc
    return Challenge(  # dataclasses.replace() takes longer, and a sweep decides thousands
        id=challenge.id,
        installation_id=challenge.installation_id,
        repo_id=challenge.repo_id,
        repo_full_name=challenge.repo_full_name,
        pr_number=challenge.pr_number,
        pull_request_id=challenge.pull_request_id,
        html_url=challenge.html_url,
        author_id=challenge.author_id,
        author_login=challenge.author_login,
        head_sha=challenge.head_sha,
        mode=challenge.mode,
        window_s=challenge.window_s,
        verification=challenge.verification,
        status=status,
        reason=reason,
        event_at=challenge.event_at,
        created_at=challenge.created_at,
        updated_at=now,
        deadline_at=challenge.deadline_at,
        gate_comment_id=challenge.gate_comment_id,
    )


def noticed(challenge: Challenge, *, now: datetime, comment_id: int | None = None) -> Challenge:
    """The gate comment is known to be posted: the first notice starts the clock (invariant 1).

    Later ones, and those of a challenge that ended meanwhile, only tell which comment it is.
    """
    known = comment_id or challenge.gate_comment_id
    if challenge.status is S.PENDING and challenge.deadline_at is None:
        deadline = now + timedelta(seconds=challenge.window_s)
        return replace(challenge, deadline_at=deadline, gate_comment_id=known, updated_at=now)
    if known == challenge.gate_comment_id:
        return challenge
    return replace(challenge, gate_comment_id=known, updated_at=now)


def counting(challenges: Iterable[Challenge]) -> Challenge | None:
    """Of all challenges of a pull request the one that counts: the active one, else the newest."""
    return max(challenges, key=lambda one: (one.is_active, one.created_at, one.id), default=None)


def is_due(challenge: Challenge, *, now: datetime) -> bool:
    """Whether time has run out. Without a notice there is no deadline, hence never."""
    return challenge.status is S.PENDING and challenge.deadline_at is not None and challenge.deadline_at <= now


def extended(challenge: Challenge, *, by_s: int, now: datetime) -> Challenge:
    """Give a pending challenge ``by_s`` more seconds. Raises ChallengeNotPending for any other."""
    if challenge.status is not S.PENDING:
        raise ChallengeNotPending(f"challenge {challenge.id} is {challenge.status}: it cannot be extended")
    deadline = challenge.deadline_at
    return replace(
        challenge,
        window_s=challenge.window_s + by_s,
        deadline_at=None if deadline is None else max(deadline, now) + timedelta(seconds=by_s),
        updated_at=now,
    )


DESCRIPTIONS: Mapping[ChallengeStatus, str] = {
    S.PENDING: "waiting for its author",
    S.VERIFIED: "its author passed",
    S.EXEMPT: "its author is exempt",
    S.CANCELED: "it no longer matters",
    S.TIMED_OUT_CLOSED: "time ran out and the pull request was closed",
}
