"""What is decided of each event that happens on a pull request: one handler an event, registered here (docs/events.md).

Events of an installation are :mod:`centralbot.domain.installation`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from centralbot.domain import gating, installation
from centralbot.domain.effects import AuditEvent
from centralbot.domain.gating import Decision, DecisionContext, GateFacts

Decide = Callable[[DecisionContext, Any, GateFacts], Decision]
Tell = Callable[[AuditEvent, str], str]
"""The sentence of an audit event, and who did it (:mod:`centralbot.domain.trace`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """``decide`` is pure: it is called again when a transaction is retried.

    ``actions`` are those of the event that matter: no other is forwarded. ``sentences`` are the words of the audit
    events that this handler alone writes.
    """

    actions: frozenset[str]
    decide: Decide
    sentences: Mapping[str, Tell] = field(default_factory=dict)


HANDLERS: Mapping[str, Handler] = {
    "pull_request": Handler(actions=gating.RELEVANT_ACTIONS, decide=gating.decide),
}
"""By the event's name."""

RELEVANT: Mapping[str, frozenset[str]] = {
    **{name: handler.actions for name, handler in HANDLERS.items()},
    **installation.RELEVANT,
}
"""The events that centralbot wants to hear of, with their actions."""
