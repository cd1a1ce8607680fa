"""The outbox: as the backend's store keeps it, and as a worker sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from centralbot.domain.actions import DEFAULT_ACTION_TYPES, ActionType, AnyPayload
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.outbox import Action, ActionStatus, Settlement
from centralbot.domain.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """What a worker asks for.

    ``max_per_installation`` bounds how many actions of one installation may be under live leases, all workers taken
    together; None sets no bound.
    """

    worker_id: str
    limit: int = 25
    action_types: tuple[ActionType, ...] = DEFAULT_ACTION_TYPES
    max_per_installation: int | None = None


class Outbox(Protocol):
    """The queue of what the bot shall do.

    Claimable is an action that is pending and due, or whose lease has run out; of an installation that is active and
    not paused; with attempts left; and that is the oldest unsettled one of its pull request. Claims never overlap.
    Every installation with something claimable gets one before any gets a second, as far as ``limit`` reaches.
    """

    async def claim(self, request: ClaimRequest, *, use: SignatureUse | None = None) -> Sequence[Action]:
        """Lease up to ``limit`` actions. Each carries its claim token; ``attempts`` includes this claim.

        Raises SignatureReplayed.
        """
        ...

    async def settle(self, settlement: Settlement, *, use: SignatureUse | None = None) -> ActionStatus:
        """Take a result and return what the action became; a repeated result is answered as the first time.

        A posted gate comment starts its challenge's clock; one that is dead cancels its challenge. A pause stops
        everything of that installation. Raises ActionNotHeld, NotFound, SignatureReplayed.
        """
        ...

    async def wait(self, timeout_s: float) -> None:
        """Return when something may have become claimable, after ``timeout_s`` at the latest."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedAction:
    """An action as a worker holds it. ``attempts`` counts earlier claims: 0 the first time.

    ``policy``: what it judges with right before it writes; None where it need not.
    """

    id: UUID
    installation_id: int
    repo_id: int
    repo_full_name: str
    pr_number: int
    challenge_id: UUID | None
    payload: AnyPayload
    policy: Policy | None
    attempts: int
    created_at: datetime
    claim_token: UUID | None
    lease_expires_at: datetime | None

    @property
    def action_type(self) -> ActionType:
        return self.payload.action_type


UNKNOWN_ACTION_TYPE = "UNKNOWN_ACTION_TYPE"
MALFORMED_ACTION = "MALFORMED_ACTION"


@dataclass(frozen=True, slots=True, kw_only=True)
class MalformedAction:
    """An action that was leased to this worker and that it cannot read, with as much of it as it could.

    ``code`` is UNKNOWN_ACTION_TYPE (a newer worker may know it) or MALFORMED_ACTION. Without ``id`` it cannot even be
    reported: its leases run out.
    """

    id: UUID | None
    claim_token: UUID | None
    code: str
    message: str


class ActionSource(Protocol):
    """The outbox as a worker sees it: over HTTP, or in memory."""

    async def claim(self, request: ClaimRequest, *, wait_s: float = 0.0) -> Sequence[ClaimedAction | MalformedAction]:
        """Lease actions; with ``wait_s`` (at most 30) hold the answer until there is something.

        Raises Unavailable, Forbidden.
        """
        ...

    async def settle(self, settlement: Settlement) -> ActionStatus:
        """Report a result, signed afresh each time. Raises ActionNotHeld, NotFound, Unavailable, Forbidden."""
        ...

    def backend_now(self) -> datetime:
        """The backend's time as far as its answers told it: leases are judged by this clock, not by ours."""
        ...
