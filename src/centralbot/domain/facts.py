"""Facts of a pull request that an event may lack: asked of GitHub where a rule needs them, None while unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from centralbot.domain.events import AuthorAssociation, UserType


class Fact(StrEnum):
    """The names of facts, as :class:`Facts` and the wire spell them (contract section 10).

    The author's type and association stand among them, since a client may leave them out of an event.
    """

    AUTHOR_TYPE = "author_type"
    AUTHOR_ASSOCIATION = "author_association"
    AUTHOR_PERMISSION = "author_permission"
    AUTHOR_ROLE = "author_role"
    LABELS = "labels"
    IS_DRAFT = "is_draft"
    STATE = "state"
    MERGED = "merged"
    CLOSED_BY = "closed_by"
    HEAD_SHA = "head_sha"
    AUTO_MERGE = "auto_merge"
    QUEUED = "queued"
    APPROVED_BY = "approved_by"
    PULL_REQUEST_UPDATED_AT = "pull_request_updated_at"
    ACCOUNT_CREATED_AT = "account_created_at"
    MERGED_BEFORE = "merged_before"


class Permission(StrEnum):
    """What an account may do in a repository, weakest first.

    GitHub's ``permission`` folds maintain into write and triage into read; ``role_name`` tells them apart
    (https://docs.github.com/rest/collaborators/collaborators#get-repository-permissions-for-a-user).
    """

    NONE = "none"
    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"

    def is_at_least(self, other: Permission) -> bool:
        """Whether it allows all that ``other`` does. ``<`` compares the words, as of any string."""
        return _ORDER.index(self) >= _ORDER.index(other)


_ORDER = tuple(Permission)


class PullState(StrEnum):
    """Whether a pull request is open. A merged one is closed."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a pull request and its author. None is unknown, never "no"; an empty tuple is known to be empty.

    ``author_role`` is the role's name, a custom one too. ``closed_by`` and ``approved_by`` are logins. ``queued``: it
    is in a merge queue. ``merged_before``: how many pull requests of its author were merged in this repository.
    """

    author_type: UserType | None = None
    author_association: AuthorAssociation | None = None
    author_permission: Permission | None = None
    author_role: str | None = None
    labels: tuple[str, ...] | None = None
    is_draft: bool | None = None
    state: PullState | None = None
    merged: bool | None = None
    closed_by: str | None = None
    head_sha: str | None = None
    auto_merge: bool | None = None
    queued: bool | None = None
    approved_by: tuple[str, ...] | None = None
    pull_request_updated_at: datetime | None = None
    account_created_at: datetime | None = None
    merged_before: int | None = None

    def unknown(self, of: Iterable[Fact]) -> frozenset[Fact]:
        """Those of the named facts that are not known."""
        return frozenset(fact for fact in of if getattr(self, fact) is None)

    def known(self) -> dict[Fact, Any]:
        """Every known fact by its name."""
        return {fact: value for fact in Fact if (value := getattr(self, fact)) is not None}

    def updated(self, newer: Facts) -> Facts:
        """These facts, overruled by what ``newer`` knows."""
        return replace(self, **{fact.value: value for fact, value in newer.known().items()})


UNKNOWN = Facts()
"""Nothing is known."""
