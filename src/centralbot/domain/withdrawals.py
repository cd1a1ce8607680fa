"""What a decision makes of actions that are queued already: withdrawn with their challenge, or superseded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from centralbot.domain.actions import ActionType
from centralbot.domain.outbox import Envelope, NewAction, withdraw

A = TypeVar("A", bound=Envelope)

SUPERSEDED = "SUPERSEDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelActions:
    """Withdraw what a challenge has queued; only actions of ``action_type`` where one is named."""

    challenge_id: UUID
    repo_id: int
    pr_number: int
    reason: str
    action_type: ActionType | None = None

    def covers(self, action: Envelope) -> bool:
        return action.challenge_id == self.challenge_id and self.action_type in (None, action.action_type)


def withdrawn(
    outstanding: Iterable[A], *, cancel: CancelActions | None, new: Sequence[NewAction], now: datetime
) -> list[A]:
    """Which of a pull request's outstanding actions a decision changes, and into what.

    ``cancel`` withdraws what it covers; a ``new`` action supersedes those with its key.
    """
    keys = {(action.repo_id, action.pr_number, action.payload.supersede_key) for action in new}
    changed = []
    for action in outstanding:
        if cancel is not None and cancel.covers(action):
            reason = cancel.reason
        elif action.supersede_key is not None and (*action.pr_key, action.supersede_key) in keys:
            reason = SUPERSEDED
        else:
            continue
        after = withdraw(action, reason=reason, now=now)
        if after != action:
            changed.append(after)
    return changed
