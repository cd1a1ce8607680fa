"""From a webhook's bytes to one of our events, or to the reason why there is nothing to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from centralbot.domain import gating, installation
from centralbot.domain.errors import ValidationError
from centralbot.domain.events import (
    GHOST_USER_ID,
    AccountType,
    Actor,
    AuthorAssociation,
    InstallationEvent,
    PullRequestEvent,
    RepositoryRef,
    RepositorySelection,
    UserType,
)
from centralbot.entrypoints.decoding import decode
from centralbot.entrypoints.worker import webhook_shapes as shapes

RELEVANT: Mapping[str, frozenset[str]] = {"pull_request": gating.RELEVANT_ACTIONS, **installation.RELEVANT}
"""The events that the backend wants to hear of, with their actions."""

MAX_LABELS = 1000
MAX_LABEL_NAME = 256

GHOST = Actor(id=GHOST_USER_ID, login="ghost")

_DECODERS: Mapping[str, msgspec.json.Decoder[Any]] = {
    "pull_request": msgspec.json.Decoder(shapes.PullRequestPayload),
    "installation": msgspec.json.Decoder(shapes.InstallationPayload),
    "installation_repositories": msgspec.json.Decoder(shapes.InstallationPayload),
    "repository": msgspec.json.Decoder(shapes.RepositoryPayload),
}
_ANYTHING = msgspec.json.Decoder(shapes.Anything)
_HEAD = msgspec.json.Decoder(shapes.Head)

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Nothing to forward, and why."""

    action: str
    reason: str


def normalize(
    event: str, body: bytes, *, delivery_id: str, received_at: datetime
) -> PullRequestEvent | InstallationEvent | Ignored:
    """Read one webhook. Raises ValidationError for what is not JSON, or for a relevant event of the wrong shape."""
    decoder = _DECODERS.get(event)
    if decoder is None:
        decode(_ANYTHING, body)
        return Ignored(action="", reason="PING" if event == "ping" else "UNKNOWN_EVENT")
    try:
        payload = decode(decoder, body)
    except ValidationError as wrong:
        try:
            action = decode(_HEAD, body).action  # an action that we do not know may have any shape
        except ValidationError:
            raise wrong from None
        if action in RELEVANT[event]:
            raise
        return Ignored(action=action, reason="IRRELEVANT_ACTION")
    action = payload.action
    if action not in RELEVANT[event]:
        return Ignored(action=action, reason="IRRELEVANT_ACTION")
    if payload.installation is None:
        return Ignored(action=action, reason="NO_INSTALLATION")
    match payload:
        case shapes.PullRequestPayload():
            pull_request = _pull_request(payload, payload.installation.id, delivery_id, received_at)
            if action == "labeled" and pull_request.label is None:
                return Ignored(action=action, reason="IRRELEVANT_ACTION")
            return pull_request
        case shapes.InstallationPayload():
            return _installation(event, payload, delivery_id, received_at)
        case _:
            return _repository(payload, payload.installation.id, delivery_id, received_at)


def _pull_request(
    payload: shapes.PullRequestPayload, installation_id: int, delivery_id: str, received_at: datetime
) -> PullRequestEvent:
    pull, user, sender = payload.pull_request, payload.pull_request.user, payload.sender
    label = _labels([payload.label] if payload.label is not None else None)
    updated_at = _time(pull.updated_at, "pull_request.updated_at")
    return PullRequestEvent(
        delivery_id=delivery_id,
        event_time=updated_at or received_at,
        installation_id=installation_id,
        action=payload.action,
        repository=_ref(payload.repository),
        number=pull.number,
        pull_request_id=pull.id,
        html_url=pull.html_url,
        is_draft=bool(pull.draft),
        author=GHOST if user is None else Actor(id=user.id, login=user.login),
        head_sha=pull.head.sha,
        author_type=None if user is None else _word(UserType, user.type),
        author_association=_word(AuthorAssociation, pull.author_association),
        merged=pull.merged,
        updated_at=updated_at,
        sender=None if sender is None else Actor(id=sender.id, login=sender.login),
        labels=_labels(pull.labels),
        label=label[0] if label else None,
    )


def _installation(
    event: str, payload: shapes.InstallationPayload, delivery_id: str, received_at: datetime
) -> InstallationEvent:
    about = payload.installation
    account = about.account
    selection = about.repository_selection or payload.repository_selection
    return InstallationEvent(
        delivery_id=delivery_id,
        event_time=_time(about.updated_at, "installation.updated_at") or received_at,
        event_name=event,
        action=payload.action,
        installation_id=about.id,
        account_login=None if account is None else account.login or account.slug,
        account_type=_word(AccountType, (account.type if account is not None else None) or about.target_type),
        account_id=None if account is None else account.id,
        repository_selection=_word(RepositorySelection, selection),
        added=_refs(payload.repositories_added),
        removed=_refs(payload.repositories_removed),
        repositories=_refs(payload.repositories),
    )


def _repository(
    payload: shapes.RepositoryPayload, installation_id: int, delivery_id: str, received_at: datetime
) -> InstallationEvent:
    """Renamed or transferred. The payload has no time of the change, so it is the time of receipt."""
    owner = payload.repository.owner
    return InstallationEvent(
        delivery_id=delivery_id,
        event_time=received_at,
        event_name="repository",
        action=payload.action,
        installation_id=installation_id,
        account_login=None if owner is None else owner.login,
        account_type=None if owner is None else _word(AccountType, owner.type),
        account_id=None if owner is None else owner.id,
        repositories=(RepositoryRef(id=payload.repository.id, full_name=payload.repository.full_name),),
    )


def _ref(repository: shapes.Repository) -> RepositoryRef:
    return RepositoryRef(id=repository.id, full_name=repository.full_name)


def _refs(repositories: list[shapes.Repository] | None) -> tuple[RepositoryRef, ...]:
    return tuple(_ref(repository) for repository in repositories or ())


def _labels(labels: list[shapes.Label] | None) -> tuple[str, ...] | None:
    """Names as the backend takes them; GitHub's own limits are 100 labels of 50 characters."""
    if labels is None:
        return None
    names = (label.name for label in labels[:MAX_LABELS])
    return tuple(name for name in names if name is not None and 0 < len(name) <= MAX_LABEL_NAME)


def _word(kind: type[E], word: str | None) -> E | None:
    """A word of GitHub's that we know, else None: new ones come without notice."""
    try:
        return None if word is None else kind(word)
    except ValueError:
        return None


def _time(value: datetime | int | None, field: str) -> datetime | None:
    if value is None:
        return None
    try:
        if isinstance(value, int):
            return datetime.fromtimestamp(value, UTC)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError, OSError) as exc:
        raise ValidationError(f"{field}: not a time between the years 1 and 9999") from exc
