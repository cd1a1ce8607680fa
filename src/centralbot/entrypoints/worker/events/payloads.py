"""What GitHub's payloads have in common, as far as we read them; everything else is skipped while decoding.

Tolerant where GitHub is known to send null or new words, strict about ids. Source of the shapes:
https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct

from centralbot.domain.errors import ValidationError
from centralbot.domain.events import GHOST_USER_ID, Actor, Event, RepositoryRef

P = TypeVar("P", bound=Struct)
W = TypeVar("W", bound=StrEnum)

GitHubId = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Word = Annotated[str, Meta(min_length=1, max_length=128)]
Login = Annotated[str, Meta(min_length=1, max_length=256)]
FullName = Annotated[str, Meta(min_length=1, max_length=512)]
Url = Annotated[str, Meta(max_length=2048, pattern="^https?://")]
Time = datetime | Annotated[int, Meta(ge=0, le=2**40)]
"""RFC 3339, or seconds since 1970: GitHub sends both for the same field."""

GHOST = Actor(id=GHOST_USER_ID, login="ghost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What is known of every delivery: its headers, when it came, and the installation that it is of."""

    event: str
    delivery_id: str
    at: datetime
    installation_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalizer(Generic[P]):
    """How one of GitHub's events is read. ``event`` makes ours of its payload; None: it is of no interest after all.

    Many deliveries of the ``quiet`` actions concern us not, as the backend alone can tell: GitHub is answered then that
    there was nothing to do.
    """

    payload: type[P]
    event: Callable[[P, Received], Event[Any] | None]
    quiet: frozenset[str] = frozenset()


class InstallationId(Struct, gc=False):
    id: GitHubId


class Payload(Struct, gc=False):
    """What every event has. Without an installation it is not the App's, and nothing can be done about it."""

    action: Word
    installation: InstallationId | None = None


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


def actor(user: User | None) -> Actor:
    """Whose account it is; GitHub sends null for one that was deleted."""
    return GHOST if user is None else Actor(id=user.id, login=user.login)


def ref(repository: Repository) -> RepositoryRef:
    return RepositoryRef(id=repository.id, full_name=repository.full_name)


def word(kind: type[W], said: str | None) -> W | None:
    """A word of GitHub's that we know, else None: new ones come without notice."""
    try:
        return None if said is None else kind(said)
    except ValueError:
        return None


def time(value: datetime | int | None, field: str) -> datetime | None:
    """In UTC. Raises ValidationError for what is none."""
    if value is None:
        return None
    try:
        if isinstance(value, int):
            return datetime.fromtimestamp(value, UTC)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError, OSError) as exc:
        raise ValidationError(f"{field}: not a time between the years 1 and 9999") from exc
