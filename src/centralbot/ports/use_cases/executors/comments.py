"""The bot's comment under a marker: written once, found again, rewritten.

The first attempt of a new marker creates its comment without looking; any later one, whose predecessor may have
written without telling, looks first.
"""

from __future__ import annotations

from centralbot.domain import comments as texts
from centralbot.domain.actions import ActionReason, CommentPayload, UpsertComment
from centralbot.ports.github import Comments
from centralbot.ports.use_cases.executors.assessment import Assessor
from centralbot.ports.use_cases.executors.execution import Execution

OPENING = frozenset({ActionReason.VERIFICATION_REQUIRED, ActionReason.CHALLENGE_TIMED_OUT, ActionReason.VERIFIED_LATE})
"""Reasons of the action that speaks first under its marker. Any other may replace one that has written unnoticed."""


class CommentWriter:
    """Says what a payload says, under its marker."""

    def __init__(self, comments: Comments) -> None:
        self._comments = comments

    def may_be_said(self, execution: Execution, payload: CommentPayload) -> bool:
        """Whether an earlier claim, of this action or one that it replaced, may have posted this marker's comment."""
        return execution.action.attempts > 0 or payload.comment_id is not None or payload.reason not in OPENING

    async def say(self, execution: Execution, payload: CommentPayload, markdown: str | None = None) -> None:
        """Create this marker's comment, or rewrite the one that is there."""
        text = payload.markdown if markdown is None else markdown
        if self.may_be_said(execution, payload):
            execution.comment_id = await self.find(execution, payload)
            if execution.comment_id is not None:
                body = texts.with_marker(text, payload.marker)
                ready = execution.before_write
                if await self._comments.update(execution.ref, execution.comment_id, body, ready=ready):
                    return
        await self.create(execution, payload, text)

    async def create(self, execution: Execution, payload: CommentPayload, markdown: str) -> None:
        """Post it without looking."""
        execution.comment_id = None
        body = texts.with_marker(markdown, payload.marker)
        execution.comment_id = await self._comments.create(execution.ref, body, ready=execution.before_write)

    async def find(self, execution: Execution, payload: CommentPayload) -> int | None:
        """The comment of this marker that is ours, or None."""
        return await self._comments.find_own(execution.ref, payload.marker, comment_id=payload.comment_id)


class UpsertCommentExecutor:
    """Executes :class:`UpsertComment`."""

    def __init__(self, writer: CommentWriter, assess: Assessor) -> None:
        self._writer = writer
        self._assess = assess

    async def __call__(self, execution: Execution, payload: UpsertComment) -> None:
        await self._assess(execution)
        await self._writer.say(execution, payload)
