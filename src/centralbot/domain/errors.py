"""Every error that centralbot raises on purpose, with a stable ``code`` that survives the HTTP round trip.

One root, few branches, the facts attached as attributes. Expected outcomes (a duplicate delivery, an event that is
ignored) are values, never errors.
"""

from __future__ import annotations

from typing import ClassVar


class CentralbotError(Exception):
    """Root of all errors raised on purpose. ``code`` is stable and safe to show to callers."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ValidationError(CentralbotError):
    """A value that the caller sent is missing, of the wrong type or out of range. The message names the field."""

    code = "VALIDATION_ERROR"


class Forbidden(CentralbotError):
    """The caller may not do this. One code for every reason, so that nobody can probe which part failed."""

    code = "FORBIDDEN"


class Unauthenticated(CentralbotError):
    """Nobody is signed in, or what they show for it is not (any longer) good."""

    code = "UNAUTHENTICATED"


class RateLimited(CentralbotError):
    """Too many requests from there; try again after ``retry_after_s`` seconds."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotFound(CentralbotError):
    """There is no such thing."""

    code = "NOT_FOUND"


class ActionNotHeld(CentralbotError):
    """A result for an action that this worker (or this claim) does not hold."""

    code = "BOT_ACTION_NOT_CLAIMED_BY_WORKER"


class ChallengeNotPending(CentralbotError):
    """A verification or an override of a challenge that can no longer change that way."""

    code = "CHALLENGE_NOT_PENDING"


class IllegalTransition(CentralbotError):
    """A state machine was asked for a step that its table does not have. Nothing has changed."""

    code = "ILLEGAL_TRANSITION"

    def __init__(self, *, machine: str, state: str, event: str) -> None:
        super().__init__(f"{machine}: no transition from {state} on {event}")
        self.machine = machine
        self.state = state
        self.event = event


class Unavailable(CentralbotError):
    """A store or a peer cannot answer now; try again after ``retry_after_s`` seconds."""

    code = "UNAVAILABLE"

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
