"""The backend as the webhook receiver sees it."""

from __future__ import annotations

from typing import Protocol

from centralbot.domain.events import Event, OutcomeT


class EventSink(Protocol):
    """Takes normalized events, of every kind."""

    async def send(self, event: Event[OutcomeT]) -> OutcomeT:
        """Forward one event, signed afresh. Sending it again is safe: the backend takes a delivery once.

        Raises Unavailable (nothing was taken for sure; send it again), ValidationError, Forbidden.
        """
        ...
