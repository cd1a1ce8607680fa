"""Events on the wire (contract section 3), and their way to and from the domain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from centralbot.adapters.backend_http.schemas.fields import GitHubId, Login, Name, Time, Word, sent
from centralbot.domain.dedup import InstallationOutcome, PullRequestOutcome
from centralbot.domain.errors import ValidationError
from centralbot.domain.events import (
    AccountType,
    Actor,
    AuthorAssociation,
    IngestStatus,
    InstallationEvent,
    PullRequestEvent,
    RepositoryRef,
    RepositorySelection,
    UserType,
)

DeliveryId = Annotated[str, Meta(min_length=1, max_length=128)]
Label = Annotated[str, Meta(min_length=1, max_length=256)]


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


class SignedDelivery(Struct, omit_defaults=True, gc=False):
    """What the signature of an event names."""

    delivery_id: DeliveryId


class PullRequestRequest(SignedDelivery, gc=False):
    event_time: Time
    installation_id: GitHubId
    action: Word
    repository: WireRepository
    pull_request: WirePullRequest
    sender: WireSender | None = None
    label: Label | None = None


class WireInstallation(Struct, omit_defaults=True, gc=False):
    id: GitHubId
    account_login: Login | None = sent(lambda: None)
    account_type: AccountType | None = sent(lambda: None)
    account_id: GitHubId | None = None
    repository_selection: RepositorySelection | None = None


class InstallationRequest(SignedDelivery, gc=False):
    event_time: Time
    event_name: Word
    action: Word
    installation: WireInstallation
    repositories_added: list[WireRepository] = sent(list)
    repositories_removed: list[WireRepository] = sent(list)
    repositories: list[WireRepository] = sent(list)
    repositories_complete: bool = False


class PullRequestAnswer(Struct, gc=False):
    ingest_status: IngestStatus
    challenge_id: UUID | None = None
    enqueued_actions: int = 0


class InstallationAnswer(Struct, gc=False):
    ingest_status: IngestStatus
    updated_installation_id: int | None = None
    updated_repositories: int = 0


def _utc(time: datetime, path: str) -> datetime:
    """In UTC, where the store keeps it: an offset can carry the first or the last day of all out of range."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValidationError(f"{path}: out of range") from None


def _refs(repositories: Iterable[WireRepository]) -> tuple[RepositoryRef, ...]:
    return tuple(RepositoryRef(id=repo.id, full_name=repo.full_name) for repo in repositories)


def _repositories(refs: Iterable[RepositoryRef]) -> list[WireRepository]:
    return [WireRepository(repo.id, repo.full_name) for repo in refs]


def pull_request_event(body: PullRequestRequest) -> PullRequestEvent:
    """Raises ValidationError for a time that UTC does not have."""
    pull, sender = body.pull_request, body.sender
    updated_at = pull.updated_at
    return PullRequestEvent(
        delivery_id=body.delivery_id,
        event_time=_utc(body.event_time, "event_time"),
        installation_id=body.installation_id,
        action=body.action,
        repository=RepositoryRef(id=body.repository.id, full_name=body.repository.full_name),
        number=pull.number,
        pull_request_id=pull.id,
        html_url=pull.html_url,
        is_draft=pull.is_draft,
        author=Actor(id=pull.user.id, login=pull.user.login),
        head_sha=pull.head_sha,
        author_type=pull.user.type,
        author_association=pull.author_association,
        merged=pull.merged,
        updated_at=None if updated_at is None else _utc(updated_at, "pull_request.updated_at"),
        sender=None if sender is None else Actor(id=sender.id, login=sender.login),
        labels=None if pull.labels is None else tuple(pull.labels),
        label=body.label,
    )


def pull_request_request(event: PullRequestEvent) -> PullRequestRequest:
    author, repository, sender = event.author, event.repository, event.sender
    return PullRequestRequest(
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


def installation_event(body: InstallationRequest) -> InstallationEvent:
    """Raises ValidationError for a time that UTC does not have."""
    installation = body.installation
    return InstallationEvent(
        delivery_id=body.delivery_id,
        event_time=_utc(body.event_time, "event_time"),
        event_name=body.event_name,
        action=body.action,
        installation_id=installation.id,
        account_login=installation.account_login,
        account_type=installation.account_type,
        account_id=installation.account_id,
        repository_selection=installation.repository_selection,
        added=_refs(body.repositories_added),
        removed=_refs(body.repositories_removed),
        repositories=_refs(body.repositories),
        complete=body.repositories_complete,
    )


def installation_request(event: InstallationEvent) -> InstallationRequest:
    return InstallationRequest(
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


def pull_request_answer(outcome: PullRequestOutcome) -> PullRequestAnswer:
    return PullRequestAnswer(outcome.status, outcome.challenge_id, outcome.enqueued_actions)


def pull_request_outcome(answer: PullRequestAnswer) -> PullRequestOutcome:
    return PullRequestOutcome(
        status=answer.ingest_status,
        challenge_id=answer.challenge_id,
        enqueued_actions=answer.enqueued_actions,
        reason="",
    )


def installation_answer(outcome: InstallationOutcome) -> InstallationAnswer:
    return InstallationAnswer(outcome.status, outcome.installation_id, outcome.updated_repositories)


def installation_outcome(answer: InstallationAnswer) -> InstallationOutcome:
    return InstallationOutcome(
        status=answer.ingest_status,
        installation_id=answer.updated_installation_id,
        updated_repositories=answer.updated_repositories,
        reason="",
    )
