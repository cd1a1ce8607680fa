"""One claimed action in one worker's hands, from its claim to its result.

The last thing before every write is a look at the lease, so that a worker that was stopped for a while does nothing
on a claim that it has lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from centralbot.domain.facts import UNKNOWN, Facts
from centralbot.domain.outbox import Outcome, Settlement
from centralbot.ports.github import PullRequestRef
from centralbot.ports.outbox import ClaimedAction

MAX_MESSAGE_CHARS = 300


def printable(message: str) -> str:
    """A failure's message as it is reported: one line of bounded length."""
    return "".join(c if c.isprintable() else " " for c in message)[:MAX_MESSAGE_CHARS]


class Withheld(Exception):
    """The next write must not be sent: ``code`` is LEASE_SHORT or STOPPING."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True, kw_only=True)
class Execution:
    """One action in one worker's hands, from its claim to its result.

    ``margin_s`` is how much of the lease a write needs, in seconds of the backend's clock.
    """

    action: ClaimedAction
    worker_id: str
    backend_now: Callable[[], datetime]
    margin_s: float
    is_stopping: Callable[[], bool]
    has_written: bool = field(default=False, init=False)
    comment_id: int | None = field(default=None, init=False)
    facts: Facts = field(default=UNKNOWN, init=False)

    @property
    def ref(self) -> PullRequestRef:
        action = self.action
        return PullRequestRef(
            installation_id=action.installation_id,
            repo_id=action.repo_id,
            repo_full_name=action.repo_full_name,
            number=action.pr_number,
        )

    def before_write(self) -> None:
        """Raises Withheld unless the lease has time left; and, once stopping, for an action that wrote nothing yet."""
        if self.is_stopping() and not self.has_written:
            raise Withheld("STOPPING")
        expires_at = self.action.lease_expires_at
        if expires_at is not None and (expires_at - self.backend_now()).total_seconds() < self.margin_s:
            raise Withheld("LEASE_SHORT")
        self.has_written = True

    def settlement(
        self,
        outcome: Outcome,
        code: str | None = None,
        message: str | None = None,
        *,
        retry_after_s: float | None = None,
        pause_s: float | None = None,
    ) -> Settlement:
        """The result to report for this claim, with the comment as far as it is known."""
        return Settlement(
            action_id=self.action.id,
            worker_id=self.worker_id,
            outcome=outcome,
            failure_code=code,
            failure_message=None if message is None else printable(message),
            claim_token=self.action.claim_token,
            retry_after_s=retry_after_s,
            pause_installation_s=pause_s,
            comment_id=self.comment_id,
            facts=self.facts,
        )

    def not_finished(self, code: str) -> Settlement:
        """Give the action back. Once something was sent its effect may be unknown: then the attempt must count.

        A released action looks untouched to the next worker, which then posts without looking.
        """
        if self.has_written:
            return self.settlement(Outcome.RETRYABLE_FAILURE, code, "interrupted after a write", retry_after_s=0.0)
        return self.settlement(Outcome.RELEASED, code)
