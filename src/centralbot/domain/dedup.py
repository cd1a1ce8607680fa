"""One delivery, one effect: what identifies a delivery, and what a repeated one is answered.

GitHub redelivers under the same ``X-GitHub-Delivery``; its signature covers neither that id nor the event's name, so
the pair is the key. A signed internal request serves once within its time window.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from centralbot.domain.events import IngestStatus, InstallationOutcome, PullRequestOutcome

MAX_SKEW_S = 300
"""How far a request's timestamp may be from the backend's clock, either way, in seconds."""

DELIVERY_RETENTION = timedelta(days=8)
"""Longer than GitHub offers redelivery (3 days; 7 on GHES), so a redelivery always meets its record."""

NONCE_MARGIN = timedelta(seconds=2 * MAX_SKEW_S)
"""What serves once is remembered for so much longer than it is valid: clocks differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureUse:
    """One use of a signature: ``digest`` (32 bytes) may appear once for this ``signed_at`` (Unix seconds)."""

    signed_at: int
    digest: bytes


def duplicate_pull_request(challenge_id: UUID | None) -> PullRequestOutcome:
    """A delivery taken before: what it produced then, and nothing new."""
    return PullRequestOutcome(
        status=IngestStatus.DUPLICATE, challenge_id=challenge_id, enqueued_actions=0, reason="DUPLICATE"
    )


DUPLICATE_INSTALLATION = InstallationOutcome(
    status=IngestStatus.DUPLICATE, installation_id=None, updated_repositories=0, reason="DUPLICATE"
)


def is_fresh(signed_at: int, *, now: datetime) -> bool:
    """Whether a request's timestamp is within 300 s of now, either way; in whole seconds, as the timestamp is."""
    return abs(int(now.timestamp()) - signed_at) <= MAX_SKEW_S


def replay_horizon(now: datetime) -> int:
    """Signatures from before this Unix second are refused as stale, so their records can go."""
    return int(now.timestamp()) - 2 * MAX_SKEW_S
