"""What GitHub told us, normalized: pull request events, installation events and their vocabulary.

``action`` and ``event_name`` stay open strings, since GitHub adds new ones and an unknown one is ignored, not refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
class PullRequestEvent:
    """One delivery about one pull request. ``updated_at`` is the PR's own clock, the best order that GitHub gives.

    ``labels`` are the names of those that it has, ``label`` the one that ``labeled`` is about. None is unknown: what a
    client leaves out is never "no".
    """

    delivery_id: str
    event_time: datetime
    installation_id: int
    action: str
    repository: RepositoryRef
    number: int
    pull_request_id: int
    html_url: str
    is_draft: bool
    author: Actor
    head_sha: str
    author_type: UserType | None = None
    author_association: AuthorAssociation | None = None
    merged: bool | None = None
    updated_at: datetime | None = None
    sender: Actor | None = None
    labels: tuple[str, ...] | None = None
    label: str | None = None

    @property
    def at(self) -> datetime:
        """The time by which events of one pull request are ordered."""
        return self.updated_at or self.event_time


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationEvent:
    """One delivery about an installation or its repositories.

    ``complete`` says that ``repositories`` is everything the installation can reach, so that what is not listed is
    gone. GitHub's own ``installation_repositories.removed`` can carry an empty list when a selection replaces "all".
    """

    delivery_id: str
    event_time: datetime
    event_name: str
    action: str
    installation_id: int
    account_login: str | None = None
    account_type: AccountType | None = None
    account_id: int | None = None
    repository_selection: RepositorySelection | None = None
    added: tuple[RepositoryRef, ...] = ()
    removed: tuple[RepositoryRef, ...] = ()
    repositories: tuple[RepositoryRef, ...] = ()
    complete: bool = False
