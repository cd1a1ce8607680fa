"""Closes a pull request: comment, then close (ADR 6)."""

from __future__ import annotations

from centralbot.domain.actions import ALREADY_CLOSED, CloseWithComment
from centralbot.ports.github import GitHubRefused, PullRequests
from centralbot.ports.use_cases.executors.assessment import Assessor
from centralbot.ports.use_cases.executors.comments import CommentWriter
from centralbot.ports.use_cases.executors.execution import Execution


class CloseExecutor:
    """Executes :class:`CloseWithComment`. Returns ALREADY_CLOSED where somebody else had closed or merged it."""

    def __init__(self, pull_requests: PullRequests, writer: CommentWriter, assess: Assessor) -> None:
        self._pull_requests = pull_requests
        self._writer = writer
        self._assess = assess

    async def __call__(self, execution: Execution, payload: CloseWithComment) -> str | None:
        state = await self._pull_requests.get(execution.ref)
        if state.merged:
            return ALREADY_CLOSED
        if not state.is_open:
            # An earlier claim of ours may have closed it and died before it could say so.
            if self._writer.may_be_said(execution, payload):
                execution.comment_id = await self._writer.find(execution, payload)
            return ALREADY_CLOSED if execution.comment_id is None else None
        await self._assess(execution, state)
        await self._writer.say(execution, payload)
        try:
            await self._pull_requests.close(execution.ref, ready=execution.before_write)
        except GitHubRefused as exc:
            if exc.status != 422:
                raise
            state = await self._pull_requests.get(execution.ref)
            if state.is_open:
                raise
            return ALREADY_CLOSED  # in between
        return None
