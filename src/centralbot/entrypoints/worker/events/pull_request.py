"""``pull_request``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from centralbot.domain.events import AuthorAssociation, PullRequestEvent, UserType
from centralbot.entrypoints.worker.events.payloads import (
    GitHubId,
    Normalizer,
    Payload,
    Received,
    Repository,
    Url,
    User,
    actor,
    ref,
    time,
    word,
)

Sha = Annotated[str, Meta(pattern="^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$")]

MAX_LABELS = 1000
MAX_LABEL_NAME = 256


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


class PullRequestPayload(Payload, kw_only=True, gc=False):
    pull_request: PullRequest
    repository: Repository
    sender: User | None = None
    label: Label | None = None


def _event(payload: PullRequestPayload, received: Received) -> PullRequestEvent | None:
    pull, user, sender = payload.pull_request, payload.pull_request.user, payload.sender
    label = _labels([payload.label] if payload.label is not None else None)
    updated_at = time(pull.updated_at, "pull_request.updated_at")
    if payload.action == "labeled" and not label:
        return None
    return PullRequestEvent(
        delivery_id=received.delivery_id,
        event_time=updated_at or received.at,
        installation_id=received.installation_id,
        action=payload.action,
        repository=ref(payload.repository),
        number=pull.number,
        pull_request_id=pull.id,
        html_url=pull.html_url,
        is_draft=bool(pull.draft),
        author=actor(user),
        head_sha=pull.head.sha,
        author_type=None if user is None else word(UserType, user.type),
        author_association=word(AuthorAssociation, pull.author_association),
        merged=pull.merged,
        updated_at=updated_at,
        sender=None if sender is None else actor(sender),
        labels=_labels(pull.labels),
        label=label[0] if label else None,
    )


def _labels(labels: list[Label] | None) -> tuple[str, ...] | None:
    """Names as the backend takes them; GitHub's own limits are 100 labels of 50 characters."""
    if labels is None:
        return None
    names = (label.name for label in labels[:MAX_LABELS])
    return tuple(name for name in names if name is not None and 0 < len(name) <= MAX_LABEL_NAME)


PULL_REQUEST = Normalizer(
    payload=PullRequestPayload,
    event=_event,
    quiet=frozenset({"labeled"}),  # with another label than the repository's own
)
