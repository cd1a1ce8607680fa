"""Executes one claimed action on GitHub and says what became of it.

The world is asked before it is changed (design, invariant 8), and the last thing before every write is a look at the
lease, so that a worker that was stopped for a while does nothing on a claim that it has lost. The first attempt of a
new marker creates its comment without looking; any later one, whose predecessor may have written without telling,
looks first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from centralbot.domain import comments as texts
from centralbot.domain.outbox import ALREADY_CLOSED, ActionReason, ActionType, Outcome, Settlement
from centralbot.ports.github import (
    Comments,
    GitHubInstallationUnavailable,
    GitHubRateLimited,
    GitHubRefused,
    GitHubUnavailable,
    PullRequestRef,
    PullRequests,
)
from centralbot.ports.outbox import ClaimedAction

MAX_MESSAGE_CHARS = 300

OPENING = frozenset({ActionReason.VERIFICATION_REQUIRED, ActionReason.CHALLENGE_TIMED_OUT, ActionReason.VERIFIED_LATE})
"""Reasons of the action that speaks first under its marker. Any other may replace one that has written unnoticed."""


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

    @property
    def ref(self) -> PullRequestRef:
        action = self.action
        return PullRequestRef(
            installation_id=action.installation_id,
            repo_id=action.repo_id,
            repo_full_name=action.repo_full_name,
            number=action.pr_number,
        )

    @property
    def may_be_said(self) -> bool:
        """Whether an earlier claim, of this action or one that it replaced, may have posted this marker's comment."""
        return self.action.attempts > 0 or self.action.comment_id is not None or self.action.reason not in OPENING

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
        )

    def not_finished(self, code: str) -> Settlement:
        """Give the action back. Once something was sent its effect may be unknown: then the attempt must count.

        A released action looks untouched to the next worker, which then posts without looking.
        """
        if self.has_written:
            return self.settlement(Outcome.RETRYABLE_FAILURE, code, "interrupted after a write", retry_after_s=0.0)
        return self.settlement(Outcome.RELEASED, code)


class Execute:
    """The use case: one turn in, one settlement out. Raises nothing but cancellation."""

    def __init__(self, *, pull_requests: PullRequests, comments: Comments) -> None:
        self._pull_requests = pull_requests
        self._comments = comments

    async def __call__(self, turn: Execution) -> Settlement:
        """Do the action and return its result; what GitHub answered decides the outcome."""
        try:
            note = await self._do(turn)
        except Withheld as exc:
            return turn.not_finished(exc.code)
        except (GitHubRateLimited, GitHubInstallationUnavailable) as exc:  # it was refused: nothing has happened
            return turn.settlement(Outcome.RELEASED, exc.reason, exc.message, pause_s=exc.pause_s)
        except GitHubUnavailable as exc:
            return turn.settlement(Outcome.RETRYABLE_FAILURE, exc.reason, exc.message)
        except GitHubRefused as exc:
            return turn.settlement(Outcome.FAILED, exc.reason, exc.message)
        except Exception as exc:
            return turn.settlement(Outcome.RETRYABLE_FAILURE, "INTERNAL", f"{type(exc).__name__}: {exc}")
        return turn.settlement(Outcome.SUCCEEDED, note)

    async def _do(self, turn: Execution) -> str | None:
        match turn.action.action_type:
            case ActionType.UPSERT_PR_COMMENT:
                await self._say(turn, turn.action.markdown)
            case ActionType.CLOSE_PR_WITH_COMMENT:
                return await self._close(turn)
            case ActionType.REOPEN_PR_WITH_COMMENT:
                await self._reopen(turn)
        return None

    async def _close(self, turn: Execution) -> str | None:
        """Comment, then close (ADR 6). Returns ALREADY_CLOSED where somebody else had closed or merged it."""
        state = await self._pull_requests.get(turn.ref)
        if state.merged:
            return ALREADY_CLOSED
        if not state.is_open:
            if turn.may_be_said:  # an earlier claim of ours may have closed it and died before it could say so
                turn.comment_id = await self._find(turn)
            return ALREADY_CLOSED if turn.comment_id is None else None
        await self._say(turn, turn.action.markdown)
        try:
            await self._pull_requests.close(turn.ref, ready=turn.before_write)
        except GitHubRefused as exc:
            if exc.status != 422:
                raise
            state = await self._pull_requests.get(turn.ref)
            if state.is_open:
                raise
            return ALREADY_CLOSED  # in between
        return None

    async def _reopen(self, turn: Execution) -> None:
        state = await self._pull_requests.get(turn.ref)
        if state.merged:
            return
        markdown = turn.action.markdown
        if state.is_open:
            if turn.may_be_said:
                turn.comment_id = await self._find(turn)
            if turn.comment_id is None:
                await self._create(turn, markdown)
            return
        try:
            await self._pull_requests.reopen(turn.ref, ready=turn.before_write)
        except GitHubRefused as exc:
            if exc.reason != "CANNOT_REOPEN":
                raise
            markdown = texts.cannot_reopen()
        await self._say(turn, markdown)

    async def _say(self, turn: Execution, markdown: str) -> None:
        """Create this marker's comment, or rewrite the one that is there."""
        if turn.may_be_said:
            turn.comment_id = await self._find(turn)
            if turn.comment_id is not None:
                body = texts.with_marker(markdown, turn.action.marker)
                if await self._comments.update(turn.ref, turn.comment_id, body, ready=turn.before_write):
                    return
        await self._create(turn, markdown)

    async def _create(self, turn: Execution, markdown: str) -> None:
        turn.comment_id = None
        body = texts.with_marker(markdown, turn.action.marker)
        turn.comment_id = await self._comments.create(turn.ref, body, ready=turn.before_write)

    async def _find(self, turn: Execution) -> int | None:
        return await self._comments.find_own(turn.ref, turn.action.marker, comment_id=turn.action.comment_id)
