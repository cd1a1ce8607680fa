"""GitHub as the worker needs it: pull requests, comments, installations and webhook deliveries.

All of it is addressed by ids. Names are hints: an implementation follows a rename by itself. Every method may raise
the :class:`GitHubError` branches below and, for a write, what its ``ready`` raises, and nothing else; each branch
carries GitHub's own words in ``code`` and ``message``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol

from centralbot.domain.errors import CentralbotError
from centralbot.domain.events import Actor, AuthorAssociation, UserType
from centralbot.domain.facts import Permission

Ready = Callable[[], None]
"""Asked right before a write is sent, after every wait (a turn, a token), and each time that it is sent again.

What it raises ends the call and comes through; nothing is sent then.
"""


def always() -> None:
    """The :data:`Ready` of who has nothing to say against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestRef:
    """Where a pull request lives. ``repo_full_name`` is a display name that may be out of date."""

    installation_id: int
    repo_id: int
    repo_full_name: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestState:
    """What GitHub says of a pull request now. ``author_id`` is None for a deleted account."""

    is_open: bool
    merged: bool
    draft: bool
    locked: bool
    author_id: int | None
    head_sha: str
    closed_at: datetime | None
    labels: tuple[str, ...]
    updated_at: datetime | None
    author_type: UserType | None
    author_association: AuthorAssociation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryName:
    """A repository that an installation can reach."""

    id: int
    full_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppInfo:
    """Our App as GitHub has it: what its owner lets it do (``pull_requests``: ``write``) and the events it gets."""

    id: int
    slug: str | None
    name: str | None
    permissions: Mapping[str, str] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    client_id: str | None = None
    """None on a GitHub too old to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationInfo:
    """One installation of the App, as GitHub lists it."""

    id: int
    account_id: int | None
    account_login: str | None
    account_type: str | None
    repository_selection: str | None
    suspended: bool
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """One attempt of GitHub to deliver an event. ``guid`` is shared by every attempt of one event; ``ok`` means 2xx.

    ``installation_id`` is None for what concerns no installation.
    """

    id: int
    guid: str
    event: str
    action: str | None
    delivered_at: datetime
    ok: bool
    installation_id: int | None = None


class GitHubError(CentralbotError):
    """Root of what can go wrong on GitHub's side."""

    code: ClassVar[str] = "GITHUB_ERROR"

    def __init__(self, message: str, *, reason: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason or self.code
        """A short stable word for the outbox's ``failure_code``, such as ``HTTP_502`` or ``LOCKED``."""
        self.status = status


class GitHubUnavailable(GitHubError):
    """Network failure, time-out or 5xx. The effect of a write is unknown: read before writing again."""

    code = "GITHUB_UNAVAILABLE"


class GitHubRateLimited(GitHubError):
    """A primary or secondary rate limit. Nothing of this installation should be sent for ``pause_s`` seconds."""

    code = "GITHUB_RATE_LIMITED"

    def __init__(self, message: str, *, pause_s: float, reason: str = "", status: int | None = None) -> None:
        super().__init__(message, reason=reason, status=status)
        self.pause_s = pause_s


class GitHubInstallationUnavailable(GitHubError):
    """The installation is suspended, gone or refuses its credentials: pause it for ``pause_s``, blame no action."""

    code = "GITHUB_INSTALLATION_UNAVAILABLE"

    def __init__(self, message: str, *, pause_s: float, reason: str = "", status: int | None = None) -> None:
        super().__init__(message, reason=reason, status=status)
        self.pause_s = pause_s


class GitHubRefused(GitHubError):
    """GitHub will not do this however often it is asked: locked, archived, missing permission, 404, 410, 422."""

    code = "GITHUB_REFUSED"


class PullRequests(Protocol):
    """Reads and changes the state of pull requests."""

    async def get(self, ref: PullRequestRef) -> PullRequestState:
        """Ask GitHub for the state now: one request. Raises GitHubRefused with reason NOT_FOUND when it is gone."""
        ...

    async def close(self, ref: PullRequestRef, *, ready: Ready = always) -> None:
        """Close it, sending only ``state``. Closing what is closed already is not an error."""
        ...

    async def reopen(self, ref: PullRequestRef, *, ready: Ready = always) -> None:
        """Reopen it. Raises GitHubRefused with reason CANNOT_REOPEN (422: head branch gone, force-pushed)."""
        ...


class Comments(Protocol):
    """The bot's own comments on a pull request. A comment of anybody else is never returned nor touched."""

    async def create(self, ref: PullRequestRef, body: str, *, ready: Ready = always) -> int:
        """Post ``body`` once, without looking: one request. Returns the comment's id."""
        ...

    async def find_own(self, ref: PullRequestRef, marker: str, *, comment_id: int | None = None) -> int | None:
        """Find our comment that carries ``marker``: by ``comment_id`` first if given, else through every page.

        Ours means: written by our App's bot user and, where GitHub tells, by our App. Returns its id, or None.
        """
        ...

    async def update(self, ref: PullRequestRef, comment_id: int, body: str, *, ready: Ready = always) -> bool:
        """Replace the body of one of our comments. False when it does not exist any more."""
        ...


class Installations(Protocol):
    """The App, its installations and the webhook deliveries GitHub remembers."""

    async def get_app(self) -> AppInfo:
        """The App that our credentials are of."""
        ...

    async def list_installations(self) -> Sequence[InstallationInfo]:
        """Every installation of the App, suspended ones included, all pages."""
        ...

    async def list_repositories(self, installation_id: int) -> Sequence[RepositoryName]:
        """Every repository that the installation can reach, all pages."""
        ...

    async def list_deliveries(self, *, since: datetime) -> Sequence[WebhookDelivery]:
        """Delivery attempts since ``since``, newest first (GitHub keeps three days)."""
        ...

    async def redeliver(self, delivery_id: int) -> None:
        """Ask GitHub to deliver once more, under the same GUID."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPullRequest:
    """An open pull request as GitHub lists it. ``author`` is None for a deleted account; unknown words are None."""

    id: int
    number: int
    html_url: str
    draft: bool
    author: Actor | None
    author_type: UserType | None
    author_association: AuthorAssociation | None
    head_sha: str
    created_at: datetime
    updated_at: datetime
    labels: tuple[str, ...] = ()


class OpenPullRequests(Protocol):
    """Lists pull requests. May raise the branches of :class:`~centralbot.ports.github.GitHubError`."""

    async def list_open(
        self, installation_id: int, repository: RepositoryName, *, since: datetime
    ) -> Sequence[OpenPullRequest]:
        """Every open pull request created at ``since`` or later, newest first, each once, all pages.

        Reading ends with the page that reaches back past ``since``: what else is on it comes too, so that it can be
        counted. The repository is found by its id where its name is out of date.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorPermission:
    """What an account may do in a repository. ``role`` is the role's name as GitHub tells it, a custom one too.

    ``permission`` is the role where GitHub itself defines it, else the one that the custom role is built on, as far as
    GitHub tells: it folds maintain into write and triage into read.
    """

    permission: Permission
    role: str


class Collaborators(Protocol):
    """What people may do in a repository: the highest of all that they were granted there."""

    async def permission(self, ref: PullRequestRef, login: str) -> AuthorPermission:
        """Ask GitHub what ``login`` may do in the repository of ``ref`` now: one request.

        An App's user is ``name[bot]``. In a public repository everybody has ``read``; in a private one a stranger has
        ``none``. The repository is found by its id alone. Raises GitHubRefused with reason NOT_FOUND when there is no
        such user or no such repository.

        https://docs.github.com/rest/collaborators/collaborators#get-repository-permissions-for-a-user
        """
        ...
