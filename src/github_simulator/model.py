"""What the simulated GitHub is made of: plain records that the world changes and the shapes render.

They are mutable on purpose: this is the state of another system, not a value of ours. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

GHOST_ID = 10137
"""The account that GitHub shows in the place of a deleted one."""

AccountType = Literal["User", "Organization", "Bot"]
Selection = Literal["all", "selected"]


@dataclass(slots=True, kw_only=True)
class Account:
    """A user, an organization or a bot user."""

    id: int
    login: str
    type: AccountType
    created_at: float
    members: set[int] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Comment:
    """An issue comment. ``via_app`` is True for one that the App wrote through its installation."""

    id: int
    author: Account
    body: str
    via_app: bool
    created_at: float
    updated_at: float
    edited_by: str | None = None


@dataclass(slots=True, kw_only=True)
class PullRequest:
    """A pull request with everything that hangs on it. ``history`` is (Unix seconds, actor's login, action)."""

    id: int
    number: int
    repository: Repository
    author: Account
    title: str
    body: str | None
    draft: bool
    association: str
    head_ref: str
    head_sha: str
    created_at: float
    updated_at: float
    state: Literal["open", "closed"] = "open"
    locked: bool = False
    head_exists: bool = True
    head_rewritten: bool = False
    closed_at: float | None = None
    closed_by: Account | None = None
    merged_at: float | None = None
    merged_by: Account | None = None
    labels: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    history: list[tuple[float, str, str]] = field(default_factory=list)

    @property
    def merged(self) -> bool:
        return self.merged_at is not None


@dataclass(slots=True, kw_only=True)
class Repository:
    """A repository. ``collaborators`` maps account ids to role names, ``custom_roles`` custom names to base roles."""

    id: int
    name: str
    owner: Account
    private: bool
    created_at: float
    archived: bool = False
    collaborators: dict[int, str] = field(default_factory=dict)
    custom_roles: dict[str, str] = field(default_factory=dict)
    pulls: dict[int, PullRequest] = field(default_factory=dict)
    next_number: int = 1
    open_count: int = 0

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"


@dataclass(slots=True, kw_only=True)
class Installation:
    """The App on one account. With selection ``all`` every repository of the account belongs to it."""

    id: int
    account: Account
    selection: Selection
    selected: set[int]
    permissions: dict[str, str]
    created_at: float
    updated_at: float
    suspended_at: float | None = None
    suspended_by: Account | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppInfo:
    """The App itself."""

    id: int
    client_id: str
    slug: str
    owner: Account
    bot: Account
    permissions: Mapping[str, str]
    events: tuple[str, ...]
    created_at: float
    name: str
    external_url: str | None = None
    """None is the simulator itself."""
    callback_urls: tuple[str, ...] = ()
    setup_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One webhook event that GitHub owes the App; every delivery of it carries the same ``guid``."""

    guid: str
    name: str
    action: str | None
    installation_id: int | None
    repository_id: int | None
    body: bytes


Json = dict[str, Any]
