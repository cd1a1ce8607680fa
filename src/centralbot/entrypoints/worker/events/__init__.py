"""GitHub's webhooks: from a delivery's bytes to one of our events, or to the reason why there is nothing to do. Pure.

Each event has a file, with its payload as far as we read it, and a row in :data:`NORMALIZERS`. Which of its actions
matter says whoever handles it (:mod:`centralbot.domain.handlers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from centralbot.domain.errors import ValidationError
from centralbot.domain.events import Event
from centralbot.domain.handlers import RELEVANT
from centralbot.entrypoints.decoding import decode
from centralbot.entrypoints.worker.events.installation import INSTALLATION
from centralbot.entrypoints.worker.events.payloads import Normalizer, Received, Word
from centralbot.entrypoints.worker.events.pull_request import PULL_REQUEST
from centralbot.entrypoints.worker.events.repository import REPOSITORY

NORMALIZERS: Mapping[str, Normalizer[Any]] = {
    "pull_request": PULL_REQUEST,
    "installation": INSTALLATION,
    "installation_repositories": INSTALLATION,
    "repository": REPOSITORY,
}
"""By the event's name, as GitHub has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Nothing to forward, and why."""

    action: str
    reason: str


class Anything(msgspec.Struct, gc=False):
    """Any JSON object: ``ping`` and events that we do not know."""


class Head(msgspec.Struct, gc=False):
    """What tells whether an event matters at all, when the rest of it cannot be read."""

    action: Word


_DECODERS = {name: msgspec.json.Decoder(normalizer.payload) for name, normalizer in NORMALIZERS.items()}
_ANYTHING = msgspec.json.Decoder(Anything)
_HEAD = msgspec.json.Decoder(Head)


def normalize(event: str, body: bytes, *, delivery_id: str, received_at: datetime) -> Event[Any] | Ignored:
    """Read one webhook. Raises ValidationError for what is not JSON, or for a relevant event of the wrong shape."""
    normalizer = NORMALIZERS.get(event)
    if normalizer is None:
        decode(_ANYTHING, body)
        return Ignored(action="", reason="PING" if event == "ping" else "UNKNOWN_EVENT")
    try:
        payload = decode(_DECODERS[event], body)
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
    installation_id = payload.installation.id
    received = Received(event=event, delivery_id=delivery_id, at=received_at, installation_id=installation_id)
    return normalizer.event(payload, received) or Ignored(action=action, reason="IRRELEVANT_ACTION")


def is_quiet(event: Event[Any]) -> bool:
    """Whether GitHub is told that there was nothing to do where the backend ignores such an event."""
    return event.action in NORMALIZERS[event.event_name].quiet
