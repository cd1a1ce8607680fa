"""What the bot can be told to do: one payload type per action type, with its own checks.

The outbox (:mod:`centralbot.domain.outbox`) moves actions without looking into their payloads. To add a type: its
payload here, its executor in ``ports/use_cases/executors/`` and its schema in
``adapters/backend_http/schemas/actions.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Self

from centralbot.domain.errors import ValidationError


class ActionType(StrEnum):
    """What the bot can be told to do."""

    UPSERT_PR_COMMENT = "UPSERT_PR_COMMENT"
    CLOSE_PR_WITH_COMMENT = "CLOSE_PR_WITH_COMMENT"
    REOPEN_PR_WITH_COMMENT = "REOPEN_PR_WITH_COMMENT"


DEFAULT_ACTION_TYPES = (ActionType.UPSERT_PR_COMMENT, ActionType.CLOSE_PR_WITH_COMMENT)
"""What a worker that names no types can execute (contract, section 4.1)."""


class ActionReason(StrEnum):
    """Why an action was queued: the payload's ``reason``."""

    VERIFICATION_REQUIRED = "VERIFICATION_REQUIRED"
    VERIFIED = "VERIFIED"
    EXEMPT = "EXEMPT"
    CANCELED = "CANCELED"
    DEADLINE_EXTENDED = "DEADLINE_EXTENDED"
    CHALLENGE_TIMED_OUT = "CHALLENGE_TIMED_OUT"
    VERIFIED_LATE = "VERIFIED_LATE"


ALREADY_CLOSED = "ALREADY_CLOSED"
"""The ``failure_code`` of a close that succeeded because somebody else had closed or merged: the bot did nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What one action type needs to be executed. Frozen; it checks itself when it is made."""

    action_type: ClassVar[ActionType]

    @property
    def supersede_key(self) -> str | None:
        """A newer action of the same pull request with this key replaces an unexecuted older one; None: never."""
        return None

    @property
    def known_comment_id(self) -> int | None:
        """GitHub's comment that carries it, where it is known."""
        return None

    def with_comment(self, comment_id: int | None) -> Self:  # noqa: ARG002 - a payload without a comment has no use for it
        """The payload once the comment that carries it is known; unchanged where it has none."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentPayload(Payload):
    """A text under a marker, and why it is said (an :class:`ActionReason`, or a newer backend's word).

    ``comment_id``: GitHub's comment that carries this marker, where it is known.

    Raises ValidationError for an empty marker or text: GitHub would show nothing, and nothing could be found again.
    """

    marker: str
    markdown: str
    reason: str
    comment_id: int | None = None

    def __post_init__(self) -> None:
        for name, text in (("comment_marker", self.marker), ("comment_markdown", self.markdown)):
            if not text.strip():
                raise ValidationError(f"payload.{name}: must not be empty")

    @property
    def supersede_key(self) -> str | None:
        return self.marker

    @property
    def known_comment_id(self) -> int | None:
        return self.comment_id

    def with_comment(self, comment_id: int | None) -> Self:
        return self if comment_id is None else replace(self, comment_id=comment_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsertComment(CommentPayload):
    """Write the comment of this marker, or rewrite the one that is there."""

    action_type: ClassVar[ActionType] = ActionType.UPSERT_PR_COMMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseWithComment(CommentPayload):
    """Say why, then close the pull request."""

    action_type: ClassVar[ActionType] = ActionType.CLOSE_PR_WITH_COMMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenWithComment(CommentPayload):
    """Reopen the pull request, then say so."""

    action_type: ClassVar[ActionType] = ActionType.REOPEN_PR_WITH_COMMENT


AnyPayload = UpsertComment | CloseWithComment | ReopenWithComment

PAYLOADS: Mapping[ActionType, type[AnyPayload]] = {
    payload.action_type: payload for payload in (UpsertComment, CloseWithComment, ReopenWithComment)
}
"""Every action type with its payload."""
