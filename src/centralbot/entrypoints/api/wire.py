"""The internal wire format (contract sections 3 and 4) and its way into domain values and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct, field

from centralbot.domain.dedup import InstallationOutcome, PullRequestOutcome
from centralbot.domain.errors import ValidationError
from centralbot.domain.events import (
    AccountType,
    Actor,
    AuthorAssociation,
    InstallationEvent,
    PullRequestEvent,
    RepositoryRef,
    RepositorySelection,
    UserType,
)
from centralbot.domain.outbox import DEFAULT_ACTION_TYPES, Action, ActionStatus, ActionType, Outcome, Settlement

GitHubId = Annotated[int, Meta(ge=1, le=2**63 - 1)]
DeliveryId = Annotated[str, Meta(min_length=1, max_length=128)]
WorkerId = Annotated[str, Meta(min_length=1, max_length=128)]
Time = Annotated[datetime, Meta(tz=True)]
Login = Annotated[str, Meta(min_length=1, max_length=256)]
Name = Annotated[str, Meta(min_length=1, max_length=512)]
Label = Annotated[str, Meta(min_length=1, max_length=256)]
Word = Annotated[str, Meta(min_length=1, max_length=128)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class WireRepository(Struct, gc=False):
    id: GitHubId
    full_name: Name


class WireUser(Struct, gc=False):
    id: GitHubId
    login: Login
    type: UserType | None = None


class WireSender(Struct, gc=False):
    id: GitHubId
    login: Login


class WirePullRequest(Struct, gc=False):
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


class SignedDelivery(Struct, gc=False):
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


class WireInstallation(Struct, gc=False):
    id: GitHubId
    account_login: Login | None = None
    account_type: AccountType | None = None
    account_id: GitHubId | None = None
    repository_selection: RepositorySelection | None = None


class InstallationRequest(SignedDelivery, gc=False):
    event_time: Time
    event_name: Word
    action: Word
    installation: WireInstallation
    repositories_added: list[WireRepository] = []
    repositories_removed: list[WireRepository] = []
    repositories: list[WireRepository] = []
    repositories_complete: bool = False


class SignedClaim(Struct, gc=False):
    """What the signature of a claim names."""

    worker_id: WorkerId


class ClaimBody(SignedClaim, gc=False):
    limit: Annotated[int, Meta(ge=1, le=100)] = 25
    wait_s: Annotated[float, Meta(ge=0, le=30)] = 0.0
    action_types: Annotated[list[ActionType], Meta(min_length=1, max_length=16)] = field(
        default_factory=lambda: list(DEFAULT_ACTION_TYPES)
    )
    max_per_installation: Annotated[int, Meta(ge=1, le=100)] | None = None


class SignedResult(Struct, gc=False):
    """What the signature of a result names, beside the action."""

    worker_id: WorkerId
    outcome: Outcome


class ResultBody(SignedResult, gc=False):
    failure_code: Annotated[str, Meta(max_length=256)] | None = None
    failure_message: Annotated[str, Meta(max_length=65_536)] | None = None
    claim_token: UUID | None = None
    retry_after_s: Seconds | None = None
    pause_installation_s: Seconds | None = None
    comment_id: GitHubId | None = None


class PullRequestAnswer(Struct, gc=False):
    ingest_status: Literal["ACCEPTED", "DUPLICATE", "IGNORED"]
    challenge_id: UUID | None
    enqueued_actions: int


class InstallationAnswer(Struct, gc=False):
    ingest_status: Literal["ACCEPTED", "DUPLICATE", "IGNORED"]
    updated_installation_id: int | None
    updated_repositories: int


class ActionPayload(Struct, gc=False):
    comment_markdown: str
    comment_marker: str
    reason: str


class WireAction(Struct, gc=False):
    id: UUID
    action_type: ActionType
    installation_id: int
    github_repo_id: int
    repo_full_name: str
    github_pr_number: int
    challenge_id: UUID | None
    payload: ActionPayload
    attempts: int
    created_at: datetime
    claim_token: UUID | None
    lease_expires_at: datetime
    comment_id: int | None


class ClaimAnswer(Struct, gc=False):
    actions: list[WireAction]


class ResultAnswer(Struct, gc=False):
    id: UUID
    status: ActionStatus


def _utc(time: datetime, path: str) -> datetime:
    """In UTC, where the store keeps it: an offset can carry the first or the last day of all out of range."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValidationError(f"{path}: out of range") from None


def pull_request_event(body: PullRequestRequest) -> PullRequestEvent:
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
        labels=tuple(pull.labels or ()),
        label=body.label,
    )


def installation_event(body: InstallationRequest) -> InstallationEvent:
    def refs(repositories: Sequence[WireRepository]) -> tuple[RepositoryRef, ...]:
        return tuple(RepositoryRef(id=repo.id, full_name=repo.full_name) for repo in repositories)

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
        added=refs(body.repositories_added),
        removed=refs(body.repositories_removed),
        repositories=refs(body.repositories),
        complete=body.repositories_complete,
    )


def settlement(action_id: UUID, body: ResultBody) -> Settlement:
    return Settlement(
        action_id=action_id,
        worker_id=body.worker_id,
        outcome=body.outcome,
        failure_code=body.failure_code,
        failure_message=body.failure_message,
        claim_token=body.claim_token,
        retry_after_s=body.retry_after_s,
        pause_installation_s=body.pause_installation_s,
        comment_id=body.comment_id,
    )


def pull_request_answer(outcome: PullRequestOutcome) -> PullRequestAnswer:
    return PullRequestAnswer(outcome.status.value, outcome.challenge_id, outcome.enqueued_actions)


def installation_answer(outcome: InstallationOutcome) -> InstallationAnswer:
    return InstallationAnswer(outcome.status.value, outcome.installation_id, outcome.updated_repositories)


def wire_action(action: Action) -> WireAction:
    """``attempts`` on the wire counts earlier claims; in the domain it includes this one."""
    return WireAction(
        id=action.id,
        action_type=action.action_type,
        installation_id=action.installation_id,
        github_repo_id=action.repo_id,
        repo_full_name=action.repo_full_name,
        github_pr_number=action.pr_number,
        challenge_id=action.challenge_id,
        payload=ActionPayload(action.markdown, action.marker, action.reason.value),
        attempts=action.attempts - 1,
        created_at=action.created_at,
        claim_token=action.claim_token,
        lease_expires_at=action.run_at,
        comment_id=action.comment_id,
    )
