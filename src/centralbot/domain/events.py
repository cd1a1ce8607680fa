"""What GitHub told us, normalized: pull request events, installation events and their vocabulary.

``action`` and ``event_name`` stay open strings, since GitHub adds new ones and an unknown one is ignored, not refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID


class UserType(StrEnum):
    """GitHub's account types as far as an author can have one."""

    USER = "User"
    BOT = "Bot"
    ORGANIZATION = "Organization"


class AccountType(StrEnum):
    """What an App can be installed on."""

    ORGANIZATION = "Organization"
    USER = "User"
    ENTERPRISE = "Enterprise"


class AuthorAssociation(StrEnum):
    """How GitHub says an author relates to a repository. Private members show as CONTRIBUTOR or NONE: a hint only."""

    COLLABORATOR = "COLLABORATOR"
    CONTRIBUTOR = "CONTRIBUTOR"
    FIRST_TIMER = "FIRST_TIMER"
    FIRST_TIME_CONTRIBUTOR = "FIRST_TIME_CONTRIBUTOR"
    MANNEQUIN = "MANNEQUIN"
    MEMBER = "MEMBER"
    NONE = "NONE"
    OWNER = "OWNER"


class RepositorySelection(StrEnum):
    """Whether an installation covers all repositories of its account or a selection."""

    ALL = "all"
    SELECTED = "selected"


class IngestStatus(StrEnum):
    """What became of one delivery. All three are expected outcomes."""

    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"
    IGNORED = "IGNORED"


GHOST_USER_ID = 10137
"""The account that GitHub shows in place of a deleted one (https://github.com/ghost)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A GitHub account: its immutable id and the login it had then."""

    id: int
    login: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryRef:
    """A repository: the id is the key, the name is for display."""

    id: int
    full_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventOutcome:
    """What became of one delivery; ``reason`` is for logs and metrics, not for callers."""

    status: IngestStatus
    reason: str

    @property
    def told(self) -> Mapping[str, str | int | None]:
        """What a log line says beside them."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestOutcome(EventOutcome):
    """What became of something that happened on one pull request: its challenge, and how many actions were queued."""

    challenge_id: UUID | None
    enqueued_actions: int

    @property
    def told(self) -> Mapping[str, str | int | None]:
        return {"challenge_id": None if self.challenge_id is None else str(self.challenge_id)}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationOutcome(EventOutcome):
    """What became of an installation delivery."""

    installation_id: int | None
    updated_repositories: int

    @property
    def told(self) -> Mapping[str, str | int | None]:
        return {"updated_repositories": self.updated_repositories}


OutcomeT = TypeVar("OutcomeT", bound=EventOutcome, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Generic[OutcomeT]):
    """One delivery of GitHub; its type parameter is what it is answered with. ``event_name`` is GitHub's own word."""

    delivery_id: str
    event_time: datetime
    event_name: str
    action: str
    installation_id: int

    @property
    def told(self) -> Mapping[str, int]:
        """What it is about beside its installation, for a log line."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestActivity(Event[PullRequestOutcome]):
    """Whatever happened on one pull request, to it or under it. ``author`` is the pull request's."""

    repository: RepositoryRef
    number: int
    author: Actor
    sender: Actor | None

    @property
    def at(self) -> datetime:
        """The time by which what happens on one pull request is ordered."""
        return self.event_time

    @property
    def told(self) -> Mapping[str, int]:
        return {"repo_id": self.repository.id, "pr_number": self.number}


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestEvent(PullRequestActivity):
    """A pull request itself. ``updated_at`` is its own clock, the best order that GitHub gives.

    ``labels`` are the names of those that it has, ``label`` the one that ``labeled`` is about. None is unknown, never
    "no", and has to be said: a forgotten association would have a member closed.
    """

    event_name: str = field(default="pull_request", init=False)
    pull_request_id: int
    html_url: str
    is_draft: bool
    head_sha: str
    author_type: UserType | None
    author_association: AuthorAssociation | None
    merged: bool | None
    updated_at: datetime | None
    labels: tuple[str, ...] | None
    label: str | None

    @property
    def at(self) -> datetime:
        return self.updated_at or self.event_time


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationEvent(Event[InstallationOutcome]):
    """An installation or its repositories.

    ``complete`` says that ``repositories`` is everything the installation can reach, so that what is not listed is
    gone. GitHub's own ``installation_repositories.removed`` can carry an empty list when a selection replaces "all".
    """

    account_login: str | None = None
    account_type: AccountType | None = None
    account_id: int | None = None
    repository_selection: RepositorySelection | None = None
    added: tuple[RepositoryRef, ...] = ()
    removed: tuple[RepositoryRef, ...] = ()
    repositories: tuple[RepositoryRef, ...] = ()
    complete: bool = False
