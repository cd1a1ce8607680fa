"""The shapes of contract sections 3 and 4 as the bot sends and reads them, and their way to and from the domain.

Fields that the contract marks (ext) are left out when there is nothing to say, so a plain backend understands us.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from centralbot.domain.dedup import InstallationOutcome, PullRequestOutcome
from centralbot.domain.events import Actor, IngestStatus, InstallationEvent, PullRequestEvent, RepositoryRef
from centralbot.domain.outbox import ActionStatus, ActionType, Settlement
from centralbot.ports.outbox import ClaimedAction, ClaimRequest


class _Out(msgspec.Struct, omit_defaults=True):
    """Base of what is sent."""


class _User(_Out):
    id: int
    login: str
    type: str | None = None


class _PullRequest(_Out):
    number: int
    id: int
    html_url: str
    is_draft: bool
    user: _User
    head_sha: str
    author_association: str | None = None
    merged: bool | None = None
    updated_at: datetime | None = None
    labels: tuple[str, ...] = ()


class _PullRequestEvent(_Out):
    delivery_id: str
    event_time: datetime
    installation_id: int
    action: str
    repository: RepositoryRef
    pull_request: _PullRequest
    sender: Actor | None = None
    label: str | None = None


class _Installation(_Out):
    id: int
    account_login: str | None
    account_type: str | None
    account_id: int | None = None
    repository_selection: str | None = None


class _InstallationEvent(_Out):
    delivery_id: str
    event_time: datetime
    event_name: str
    action: str
    installation: _Installation
    repositories_added: tuple[RepositoryRef, ...]
    repositories_removed: tuple[RepositoryRef, ...]
    repositories: tuple[RepositoryRef, ...]
    repositories_complete: bool = False


class _Claim(_Out):
    worker_id: str
    limit: int
    wait_s: float
    action_types: tuple[ActionType, ...]
    max_per_installation: int | None = None


class _Result(_Out):
    worker_id: str
    outcome: str
    failure_code: str | None
    failure_message: str | None
    claim_token: UUID | None = None
    retry_after_s: float | None = None
    pause_installation_s: float | None = None
    comment_id: int | None = None


class _PullRequestAnswer(msgspec.Struct):
    ingest_status: IngestStatus
    challenge_id: UUID | None = None
    enqueued_actions: int = 0


class _InstallationAnswer(msgspec.Struct):
    ingest_status: IngestStatus
    updated_installation_id: int | None = None
    updated_repositories: int = 0


class _Payload(msgspec.Struct):
    comment_markdown: str
    comment_marker: str
    reason: str = ""


class _Action(msgspec.Struct):
    id: UUID
    action_type: ActionType
    installation_id: int
    github_repo_id: int
    repo_full_name: str
    github_pr_number: int
    payload: _Payload
    attempts: int
    created_at: datetime
    challenge_id: UUID | None = None
    claim_token: UUID | None = None
    lease_expires_at: datetime | None = None
    comment_id: int | None = None


class _Actions(msgspec.Struct):
    actions: tuple[_Action, ...]


class _ResultAnswer(msgspec.Struct):
    status: ActionStatus


class _Error(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _ErrorAnswer(msgspec.Struct):
    error: _Error = _Error()


_encode = msgspec.json.Encoder().encode
_pull_request_answer = msgspec.json.Decoder(_PullRequestAnswer)
_installation_answer = msgspec.json.Decoder(_InstallationAnswer)
_actions = msgspec.json.Decoder(_Actions)
_result_answer = msgspec.json.Decoder(_ResultAnswer)
_error_answer = msgspec.json.Decoder(_ErrorAnswer)


def pull_request_body(event: PullRequestEvent) -> bytes:
    """Section 3.1."""
    pull_request = _PullRequest(
        number=event.number,
        id=event.pull_request_id,
        html_url=event.html_url,
        is_draft=event.is_draft,
        user=_User(id=event.author.id, login=event.author.login, type=event.author_type),
        head_sha=event.head_sha,
        author_association=event.author_association,
        merged=event.merged,
        updated_at=event.updated_at,
        labels=event.labels,
    )
    return _encode(
        _PullRequestEvent(
            delivery_id=event.delivery_id,
            event_time=event.event_time,
            installation_id=event.installation_id,
            action=event.action,
            repository=event.repository,
            pull_request=pull_request,
            sender=event.sender,
            label=event.label,
        )
    )


def installation_body(event: InstallationEvent) -> bytes:
    """Section 3.2, with ``repositories_complete`` where the list is everything."""
    installation = _Installation(
        id=event.installation_id,
        account_login=event.account_login,
        account_type=event.account_type,
        account_id=event.account_id,
        repository_selection=event.repository_selection,
    )
    return _encode(
        _InstallationEvent(
            delivery_id=event.delivery_id,
            event_time=event.event_time,
            event_name=event.event_name,
            action=event.action,
            installation=installation,
            repositories_added=event.added,
            repositories_removed=event.removed,
            repositories=event.repositories,
            repositories_complete=event.complete,
        )
    )


def claim_body(request: ClaimRequest, wait_s: float) -> bytes:
    """Section 4.1."""
    return _encode(
        _Claim(
            worker_id=request.worker_id,
            limit=request.limit,
            wait_s=wait_s,
            action_types=request.action_types,
            max_per_installation=request.max_per_installation,
        )
    )


def result_body(settlement: Settlement) -> bytes:
    """Section 4.2."""
    return _encode(
        _Result(
            worker_id=settlement.worker_id,
            outcome=settlement.outcome,
            failure_code=settlement.failure_code,
            failure_message=settlement.failure_message,
            claim_token=settlement.claim_token,
            retry_after_s=settlement.retry_after_s,
            pause_installation_s=settlement.pause_installation_s,
            comment_id=settlement.comment_id,
        )
    )


def pull_request_outcome(answer: bytes) -> PullRequestOutcome:
    """Raises msgspec.MsgspecError for anything that is not the contract's answer; so do the functions below."""
    got = _pull_request_answer.decode(answer)
    return PullRequestOutcome(
        status=got.ingest_status, challenge_id=got.challenge_id, enqueued_actions=got.enqueued_actions, reason=""
    )


def installation_outcome(answer: bytes) -> InstallationOutcome:
    got = _installation_answer.decode(answer)
    return InstallationOutcome(
        status=got.ingest_status,
        installation_id=got.updated_installation_id,
        updated_repositories=got.updated_repositories,
        reason="",
    )


def claimed_actions(answer: bytes) -> list[ClaimedAction]:
    return [
        ClaimedAction(
            id=row.id,
            action_type=row.action_type,
            installation_id=row.installation_id,
            repo_id=row.github_repo_id,
            repo_full_name=row.repo_full_name,
            pr_number=row.github_pr_number,
            challenge_id=row.challenge_id,
            marker=row.payload.comment_marker,
            markdown=row.payload.comment_markdown,
            reason=row.payload.reason,
            comment_id=row.comment_id,
            attempts=row.attempts,
            created_at=row.created_at,
            claim_token=row.claim_token,
            lease_expires_at=row.lease_expires_at,
        )
        for row in _actions.decode(answer).actions
    ]


def settled_status(answer: bytes) -> ActionStatus:
    return _result_answer.decode(answer).status


def error_of(answer: bytes) -> tuple[str, str]:
    """Code and message of an error envelope; two empty strings when it is none."""
    try:
        error = _error_answer.decode(answer).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", ""
    return error.code, error.message
