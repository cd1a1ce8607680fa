"""GitHub's webhook payloads as far as we read them; everything else is skipped while decoding.

Tolerant where GitHub is known to send null or new words, strict about ids. Source of the shapes:
https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

GitHubId = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Word = Annotated[str, Meta(min_length=1, max_length=128)]
Login = Annotated[str, Meta(min_length=1, max_length=256)]
FullName = Annotated[str, Meta(min_length=1, max_length=512)]
Sha = Annotated[str, Meta(pattern="^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$")]
Url = Annotated[str, Meta(max_length=2048, pattern="^https?://")]
Time = datetime | Annotated[int, Meta(ge=0, le=2**40)]
"""RFC 3339, or seconds since 1970: GitHub sends both for the same field."""


class Anything(Struct, gc=False):
    """Any JSON object: ``ping`` and events that we do not know."""


class Head(Struct, gc=False):
    """What tells whether an event matters at all, when the rest of it cannot be read."""

    action: Word


class User(Struct, gc=False):
    id: GitHubId
    login: Login
    type: str | None = None


class Account(Struct, gc=False):
    """An installation's account: an enterprise has a slug in place of a login."""

    id: GitHubId
    login: Login | None = None
    slug: Login | None = None
    type: str | None = None


class Repository(Struct, gc=False):
    id: GitHubId
    full_name: FullName


class OwnedRepository(Struct, gc=False):
    id: GitHubId
    full_name: FullName
    owner: Account | None = None


class InstallationId(Struct, gc=False):
    id: GitHubId


class Installation(Struct, gc=False):
    id: GitHubId
    account: Account | None = None
    target_type: str | None = None
    repository_selection: str | None = None
    updated_at: Time | None = None


class Commit(Struct, gc=False):
    sha: Sha


class Label(Struct, gc=False):
    name: str | None = None


class PullRequest(Struct, gc=False):
    number: GitHubId
    id: GitHubId
    html_url: Url
    head: Commit
    draft: bool | None = None
    user: User | None = None
    author_association: str | None = None
    merged: bool | None = None
    updated_at: datetime | None = None
    labels: list[Label] | None = None


class PullRequestPayload(Struct, gc=False):
    action: Word
    pull_request: PullRequest
    repository: Repository
    installation: InstallationId | None = None
    sender: User | None = None
    label: Label | None = None


class InstallationPayload(Struct, gc=False):
    """``installation`` and ``installation_repositories``."""

    action: Word
    installation: Installation
    repository_selection: str | None = None
    repositories: list[Repository] | None = None
    repositories_added: list[Repository] | None = None
    repositories_removed: list[Repository] | None = None


class RepositoryPayload(Struct, gc=False):
    action: Word
    repository: OwnedRepository
    installation: InstallationId | None = None
