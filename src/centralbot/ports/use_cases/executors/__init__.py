"""What a worker does on GitHub, one executor per action type.

To add one: its module here, and its line in :func:`executors`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from centralbot.domain.actions import ActionType
from centralbot.ports.github import Collaborators, Comments, PullRequests
from centralbot.ports.use_cases.executors.assessment import Assessor, NotNow
from centralbot.ports.use_cases.executors.close import CloseExecutor
from centralbot.ports.use_cases.executors.comments import CommentWriter, UpsertCommentExecutor
from centralbot.ports.use_cases.executors.execution import Execution, Withheld, printable
from centralbot.ports.use_cases.executors.reopen import ReopenExecutor

Executor = Callable[[Execution, Any], Awaitable[str | None]]
"""Does one action, given its payload. Returns a note for the result's ``failure_code``, or None; raises GitHubError."""


def executors(
    pull_requests: PullRequests, comments: Comments, collaborators: Collaborators, now: Callable[[], datetime]
) -> Mapping[ActionType, Executor]:
    """Every executor, by the type of action that it does. ``now``: the backend's clock, as far as it is known."""
    writer, assess = CommentWriter(comments), Assessor(pull_requests, collaborators, now)
    return {
        ActionType.UPSERT_PR_COMMENT: UpsertCommentExecutor(writer, assess),
        ActionType.CLOSE_PR_WITH_COMMENT: CloseExecutor(pull_requests, writer, assess),
        ActionType.REOPEN_PR_WITH_COMMENT: ReopenExecutor(pull_requests, writer),
    }


__all__ = ["Execution", "Executor", "NotNow", "Withheld", "executors", "printable"]
