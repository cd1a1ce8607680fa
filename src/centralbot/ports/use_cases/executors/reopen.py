"""Reopens a pull request that the bot closed, then says so."""

from __future__ import annotations

from centralbot.domain import comments as texts
from centralbot.domain.actions import ReopenWithComment
from centralbot.ports.github import GitHubRefused, PullRequests
from centralbot.ports.use_cases.executors.comments import CommentWriter
from centralbot.ports.use_cases.executors.execution import Execution


class ReopenExecutor:
    """Executes :class:`ReopenWithComment`. Where GitHub refuses, the comment says so."""

    def __init__(self, pull_requests: PullRequests, writer: CommentWriter) -> None:
        self._pull_requests = pull_requests
        self._writer = writer

    async def __call__(self, execution: Execution, payload: ReopenWithComment) -> None:
        state = await self._pull_requests.get(execution.ref)
        if state.merged:
            return
        markdown = payload.markdown
        if state.is_open:
            if self._writer.may_be_said(execution, payload):
                execution.comment_id = await self._writer.find(execution, payload)
            if execution.comment_id is None:
                await self._writer.create(execution, payload, markdown)
            return
        try:
            await self._pull_requests.reopen(execution.ref, ready=execution.before_write)
        except GitHubRefused as exc:
            if exc.reason != "CANNOT_REOPEN":
                raise
            markdown = texts.cannot_reopen()
        await self._writer.say(execution, payload, markdown)
