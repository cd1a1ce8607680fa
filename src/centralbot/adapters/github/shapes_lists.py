"""A pull request as GitHub's lists have it (``pull-request-simple``), with what an event of it tells."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

import msgspec

from centralbot.adapters.github.shapes import IdOnly, Moment
from centralbot.domain.events import Actor, AuthorAssociation, UserType
from centralbot.ports.driven.open_pull_requests import OpenPullRequest

E = TypeVar("E", bound=StrEnum)


class _User(msgspec.Struct):
    id: int
    login: str
    type: str = "User"


class _Label(msgspec.Struct):
    name: str | None = None


class _Head(msgspec.Struct):
    sha: str


class _Base(msgspec.Struct):
    repo: IdOnly


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


def _word(kind: type[E], word: str | None) -> E | None:
    """A word of GitHub's that we know, else None: new ones come without notice."""
    try:
        return None if word is None else kind(word)
    except ValueError:
        return None
