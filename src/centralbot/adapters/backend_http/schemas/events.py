"""Events on the wire (contract section 3), and their way to and from the domain.

To add an event: the struct of its body, and its row in :data:`EVENTS`. It comes in batches (:mod:`.batches`) then, as
do all new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Self, TypeVar
from uuid import UUID

from msgspec import Meta, Struct

from centralbot.adapters.backend_http.schemas.fields import GitHubId, Login, Name, Time, Word, sent
from centralbot.domain import signing
from centralbot.domain.errors import ValidationError
from centralbot.domain.events import (
    AccountType,
    Actor,
    AuthorAssociation,
    Event,
    IngestStatus,
    InstallationEvent,
    InstallationOutcome,
    PullRequestEvent,
    PullRequestOutcome,
    RepositoryRef,
    RepositorySelection,
    UserType,
)

E = TypeVar("E")
OutcomeOf = TypeVar("OutcomeOf")

DeliveryId = Annotated[str, Meta(min_length=1, max_length=128)]
Label = Annotated[str, Meta(min_length=1, max_length=256)]


class EventBody(Struct, Generic[E], omit_defaults=True, gc=False):
    """What every event's body has: the signature of its own endpoint names it."""

    delivery_id: DeliveryId

    @classmethod
    def of(cls, event: E) -> Self:
        raise NotImplementedError

    def event(self) -> E:
        """Raises ValidationError for a time that UTC does not have."""
        raise NotImplementedError


class EventAnswer(Struct, Generic[OutcomeOf], gc=False):
    """What every event is answered."""

    ingest_status: IngestStatus

    @classmethod
    def of(cls, outcome: OutcomeOf) -> Self:
        raise NotImplementedError

    def outcome(self) -> OutcomeOf:
        raise NotImplementedError


class WireRepository(Struct, gc=False):
    id: GitHubId
    full_name: Name


class WireUser(Struct, omit_defaults=True, gc=False):
    id: GitHubId
    login: Login
    type: UserType | None = None


class WireSender(Struct, gc=False):
    id: GitHubId
    login: Login


def utc(time: datetime, path: str) -> datetime:
    """In UTC, where the store keeps it: an offset can carry the first or the last day of all out of range."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValidationError(f"{path}: out of range") from None


class WirePullRequest(Struct, omit_defaults=True, gc=False):
    number: GitHubId
    id: GitHubId
    html_url: Annotated[str, Meta(min_length=1, max_length=2048, pattern="^https?://")]
    is_draft: bool
    user: WireUser
    head_sha: Annotated[str, Meta(pattern=r"^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$(?!\n)")]
    author_association: AuthorAssociation | None = None
    merged: bool | None = None
    updated_at: Time | None = None
    labels: Annotated[list[Label], Meta(max_length=1000)] | None = None


class PullRequestRequest(EventBody[PullRequestEvent], gc=False):
    event_time: Time
    installation_id: GitHubId
    action: Word
    repository: WireRepository
    pull_request: WirePullRequest
    sender: WireSender | None = None
    label: Label | None = None

    @classmethod
    def of(cls, event: PullRequestEvent) -> Self:
        author, repository, sender = event.author, event.repository, event.sender
        return cls(
            delivery_id=event.delivery_id,
            event_time=event.event_time,
            installation_id=event.installation_id,
            action=event.action,
            repository=WireRepository(repository.id, repository.full_name),
            pull_request=WirePullRequest(
                number=event.number,
                id=event.pull_request_id,
                html_url=event.html_url,
                is_draft=event.is_draft,
                user=WireUser(author.id, author.login, event.author_type),
                head_sha=event.head_sha,
                author_association=event.author_association,
                merged=event.merged,
                updated_at=event.updated_at,
                labels=None if event.labels is None else list(event.labels),
            ),
            sender=None if sender is None else WireSender(sender.id, sender.login),
            label=event.label,
        )

    def event(self) -> PullRequestEvent:
        pull, sender = self.pull_request, self.sender
        updated_at = pull.updated_at
        return PullRequestEvent(
            delivery_id=self.delivery_id,
            event_time=utc(self.event_time, "event_time"),
            installation_id=self.installation_id,
            action=self.action,
            repository=RepositoryRef(id=self.repository.id, full_name=self.repository.full_name),
            number=pull.number,
            pull_request_id=pull.id,
            html_url=pull.html_url,
            is_draft=pull.is_draft,
            author=Actor(id=pull.user.id, login=pull.user.login),
            head_sha=pull.head_sha,
            author_type=pull.user.type,
            author_association=pull.author_association,
            merged=pull.merged,
            updated_at=None if updated_at is None else utc(updated_at, "pull_request.updated_at"),
            sender=None if sender is None else Actor(id=sender.id, login=sender.login),
            labels=None if pull.labels is None else tuple(pull.labels),
            label=self.label,
        )


class PullRequestAnswer(EventAnswer[PullRequestOutcome], gc=False):
    challenge_id: UUID | None = None
    enqueued_actions: int = 0

    @classmethod
    def of(cls, outcome: PullRequestOutcome) -> Self:
        return cls(outcome.status, outcome.challenge_id, outcome.enqueued_actions)

    def outcome(self) -> PullRequestOutcome:
        return PullRequestOutcome(
            status=self.ingest_status,
            challenge_id=self.challenge_id,
            enqueued_actions=self.enqueued_actions,
            reason="",
        )


class WireInstallation(Struct, omit_defaults=True, gc=False):
    id: GitHubId
    account_login: Login | None = sent(lambda: None)
    account_type: AccountType | None = sent(lambda: None)
    account_id: GitHubId | None = None
    repository_selection: RepositorySelection | None = None


class InstallationRequest(EventBody[InstallationEvent], gc=False):
    event_time: Time
    event_name: Word
    action: Word
    installation: WireInstallation
    repositories_added: list[WireRepository] = sent(list)
    repositories_removed: list[WireRepository] = sent(list)
    repositories: list[WireRepository] = sent(list)
    repositories_complete: bool = False

    @classmethod
    def of(cls, event: InstallationEvent) -> Self:
        return cls(
            delivery_id=event.delivery_id,
            event_time=event.event_time,
            event_name=event.event_name,
            action=event.action,
            installation=WireInstallation(
                id=event.installation_id,
                account_login=event.account_login,
                account_type=event.account_type,
                account_id=event.account_id,
                repository_selection=event.repository_selection,
            ),
            repositories_added=_repositories(event.added),
            repositories_removed=_repositories(event.removed),
            repositories=_repositories(event.repositories),
            repositories_complete=event.complete,
        )

    def event(self) -> InstallationEvent:
        installation = self.installation
        return InstallationEvent(
            delivery_id=self.delivery_id,
            event_time=utc(self.event_time, "event_time"),
            event_name=self.event_name,
            action=self.action,
            installation_id=installation.id,
            account_login=installation.account_login,
            account_type=installation.account_type,
            account_id=installation.account_id,
            repository_selection=installation.repository_selection,
            added=_refs(self.repositories_added),
            removed=_refs(self.repositories_removed),
            repositories=_refs(self.repositories),
            complete=self.repositories_complete,
        )


class InstallationAnswer(EventAnswer[InstallationOutcome], gc=False):
    updated_installation_id: int | None = None
    updated_repositories: int = 0

    @classmethod
    def of(cls, outcome: InstallationOutcome) -> Self:
        return cls(outcome.status, outcome.installation_id, outcome.updated_repositories)

    def outcome(self) -> InstallationOutcome:
        return InstallationOutcome(
            status=self.ingest_status,
            installation_id=self.updated_installation_id,
            updated_repositories=self.updated_repositories,
            reason="",
        )


def _refs(repositories: Iterable[WireRepository]) -> tuple[RepositoryRef, ...]:
    return tuple(RepositoryRef(id=repo.id, full_name=repo.full_name) for repo in repositories)


def _repositories(refs: Iterable[RepositoryRef]) -> list[WireRepository]:
    return [WireRepository(repo.id, repo.full_name) for repo in refs]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEndpoint:
    """The endpoint that an event has to itself: what its signature says of a delivery id, and how it is described."""

    message: Callable[[str], str]
    name: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSchema:
    """One kind of event on the wire. ``name`` tells it in a batch, and is the last part of its own endpoint's path.

    Without ``own`` it comes in batches alone.
    """

    name: str
    event: type[Event[Any]]
    body: type[EventBody[Any]]
    answer: type[EventAnswer[Any]]
    own: OwnEndpoint | None = None


EVENTS: tuple[EventSchema, ...] = (
    EventSchema(
        name="pull-request",
        event=PullRequestEvent,
        body=PullRequestRequest,
        answer=PullRequestAnswer,
        own=OwnEndpoint(
            message=signing.pull_request_message,
            name="ingestPullRequest",
            summary="Take a pull request delivery, once",
        ),
    ),
    EventSchema(
        name="installation-sync",
        event=InstallationEvent,
        body=InstallationRequest,
        answer=InstallationAnswer,
        own=OwnEndpoint(
            message=signing.installation_message,
            name="ingestInstallation",
            summary="Take an installation delivery, once",
        ),
    ),
)
"""Every kind of event that the two ends tell each other."""
