"""GitHub as ``sync`` asks it for pull requests that no webhook told of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from centralbot.domain.events import Actor, AuthorAssociation, UserType
from centralbot.ports.driven.github import RepositoryName


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
    """Lists pull requests. May raise the branches of :class:`~centralbot.ports.driven.github.GitHubError`."""

    async def list_open(
        self, installation_id: int, repository: RepositoryName, *, since: datetime
    ) -> Sequence[OpenPullRequest]:
        """Every open pull request created at ``since`` or later, newest first, each once, all pages.

        Reading ends with the page that reaches back past ``since``: what else is on it comes too, so that it can be
        counted. The repository is found by its id where its name is out of date.
        """
        ...
