"""The backend as the webhook receiver sees it."""

from __future__ import annotations

from typing import Protocol

from centralbot.domain.dedup import InstallationOutcome, PullRequestOutcome
from centralbot.domain.events import InstallationEvent, PullRequestEvent


class EventSink(Protocol):
    """Takes normalized events; every call is signed afresh.

    Raises Unavailable (nothing was taken for sure; send it again), ValidationError, Forbidden.
    """

    async def pull_request(self, event: PullRequestEvent) -> PullRequestOutcome:
        """Forward one pull request event."""
        ...

    async def installation(self, event: InstallationEvent) -> InstallationOutcome:
        """Forward one installation event."""
        ...
