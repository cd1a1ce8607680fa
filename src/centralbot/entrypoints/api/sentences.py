"""What happened, in sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from centralbot.domain.effects import AuditEvent


def sentences(events: Sequence[AuditEvent], logins: Mapping[int, str]) -> list[str]:  # noqa: ARG001
    """One for each event."""
    return [event.event for event in events]
