"""The parts of GitHub's answers that we read."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec

from centralbot.adapters.github.protocol import ApiResponse
from centralbot.domain.events import Actor, AuthorAssociation, UserType
from centralbot.domain.facts import Permission
from centralbot.ports.github import (
    AppInfo,
    AuthorPermission,
    GitHubUnavailable,
    InstallationInfo,
    OpenPullRequest,
    PullRequestState,
    RepositoryName,
    WebhookDelivery,
)

T = TypeVar("T")
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""With its zone: one without cannot be compared."""
Secret = Annotated[str, msgspec.Meta(pattern="^[!-~]+$")]
"""What a header can carry."""


class IdOnly(msgspec.Struct):
    id: int


class App(msgspec.Struct):
    id: int
    slug: str | None = None
    name: str | None = None
    permissions: dict[str, str] = {}
    events: list[str] = []
    client_id: str | None = None

    def to_port(self) -> AppInfo:
        return AppInfo(
            id=self.id,
            slug=self.slug,
            name=self.name,
            permissions=self.permissions,
            events=tuple(self.events),
            client_id=self.client_id,
        )


class HookConfig(msgspec.Struct):
    """``url`` is missing where the App has no webhook."""

    url: str | None = None


class AccessToken(msgspec.Struct):
    token: Secret
    expires_at: Moment


class Author(msgspec.Struct):
    id: int
    type: str = "User"


class Comment(msgspec.Struct):
    """``performed_via_github_app`` is null for people and missing from old servers."""

    id: int
    body: str | None = None
    user: Author | None = None
    performed_via_github_app: IdOnly | None = None
    issue_url: str = ""


class Written(msgspec.Struct):
    """What a write is answered with, as far as we rely on it: it is GitHub that answers, and this is the state."""

    state: str | None = None


class _Head(msgspec.Struct):
    sha: str


class _Base(msgspec.Struct):
    repo: IdOnly


class _Label(msgspec.Struct):
    name: str | None = None


class _User(msgspec.Struct):
    id: int
    login: str
    type: str = "User"


class Pull(msgspec.Struct):
    state: str
    head: _Head
    base: _Base
    user: Author | None = None
    merged: bool = False
    draft: bool = False
    locked: bool = False
    closed_at: Moment | None = None
    updated_at: Moment | None = None
    labels: list[_Label] = []
    author_association: str | None = None

    def to_port(self) -> PullRequestState:
        return PullRequestState(
            is_open=self.state == "open",
            merged=self.merged,
            draft=self.draft,
            locked=self.locked,
            author_id=None if self.user is None else self.user.id,
            head_sha=self.head.sha,
            closed_at=self.closed_at,
            labels=tuple(label.name for label in self.labels if label.name),
            updated_at=self.updated_at,
            author_type=None if self.user is None else _word(UserType, self.user.type),
            author_association=_word(AuthorAssociation, self.author_association),
        )


class Repository(msgspec.Struct):
    id: int
    full_name: str


class RepositoryPage(msgspec.Struct):
    repositories: list[Repository]

    def to_port(self) -> list[RepositoryName]:
        return [RepositoryName(id=repo.id, full_name=repo.full_name) for repo in self.repositories]


class _Account(msgspec.Struct):
    """A user, an organization, or an enterprise, which has a slug in place of a login."""

    id: int
    login: str | None = None
    slug: str | None = None
    type: str | None = None


class Installation(msgspec.Struct):
    id: int
    updated_at: Moment
    account: _Account | None = None
    target_type: str | None = None
    repository_selection: str | None = None
    suspended_at: Moment | None = None

    def to_port(self) -> InstallationInfo:
        account = self.account
        return InstallationInfo(
            id=self.id,
            account_id=None if account is None else account.id,
            account_login=None if account is None else account.login or account.slug,
            account_type=(account.type if account is not None else None) or self.target_type,
            repository_selection=self.repository_selection,
            suspended=self.suspended_at is not None,
            updated_at=self.updated_at,
        )


class Delivery(msgspec.Struct):
    id: int
    guid: str
    event: str
    delivered_at: Moment
    status_code: int
    action: str | None = None
    installation_id: int | None = None

    def to_port(self) -> WebhookDelivery:
        return WebhookDelivery(
            id=self.id,
            guid=self.guid,
            event=self.event,
            action=self.action,
            delivered_at=self.delivered_at,
            ok=200 <= self.status_code < 300,
            installation_id=self.installation_id,
        )


def decode(response: ApiResponse, shape: type[T]) -> T:
    """Read an answer. GitHubUnavailable when it is not what GitHub documents: cut off, or a proxy's own page."""
    try:
        return msgspec.json.decode(response.body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"GitHub's answer could not be read: {type(error).__name__}"
        raise GitHubUnavailable(message, reason="BAD_ANSWER", status=response.status) from error


E = TypeVar("E", bound=StrEnum)


class ListedPull(msgspec.Struct):
    """``user`` is null for a deleted account; ``draft`` is missing from old servers."""

    id: int
    number: int
    html_url: str
    head: _Head
    base: _Base
    created_at: Moment
    updated_at: Moment
    user: _User | None = None
    author_association: str | None = None
    draft: bool = False
    labels: list[_Label] = []

    def to_port(self) -> OpenPullRequest:
        user = self.user
        return OpenPullRequest(
            id=self.id,
            number=self.number,
            html_url=self.html_url,
            draft=self.draft,
            author=None if user is None else Actor(id=user.id, login=user.login),
            author_type=None if user is None else _word(UserType, user.type),
            author_association=_word(AuthorAssociation, self.author_association),
            head_sha=self.head.sha,
            created_at=self.created_at,
            updated_at=self.updated_at,
            labels=tuple(label.name for label in self.labels if label.name),
        )


class CollaboratorPermission(msgspec.Struct):
    """``permission`` knows no maintain and no triage; ``role_name`` does, and is missing from old servers."""

    permission: str
    role_name: str | None = None

    def to_port(self) -> AuthorPermission | None:
        """None where neither word is one that we know: what GitHub means is then unknown, which is not ``none``."""
        known = _word(Permission, self.role_name) or _word(Permission, self.permission)
        return None if known is None else AuthorPermission(permission=known, role=self.role_name or self.permission)


def _word(kind: type[E], word: str | None) -> E | None:
    """A word of GitHub's that we know, else None: new ones come without notice."""
    try:
        return None if word is None else kind(word)
    except ValueError:
        return None
