"""Executes one claimed action on GitHub and says what became of it.

The world is asked before it is changed (design, invariant 8); what each type does is its executor's.
"""

from __future__ import annotations

from collections.abc import Mapping

from centralbot.domain.actions import ActionType
from centralbot.domain.outbox import Outcome, Settlement
from centralbot.ports.github import (
    GitHubInstallationUnavailable,
    GitHubRateLimited,
    GitHubRefused,
    GitHubUnavailable,
)
from centralbot.ports.use_cases.executors import Execution, Executor, NotNow, Withheld


class Execute:
    """The use case: one execution in, one settlement out. Raises nothing but cancellation."""

    def __init__(self, executors: Mapping[ActionType, Executor]) -> None:
        self._executors = executors

    @property
    def action_types(self) -> tuple[ActionType, ...]:
        """What it can execute."""
        return tuple(self._executors)

    async def __call__(self, execution: Execution) -> Settlement:
        """Do the action and return its result; what GitHub answered decides the outcome."""
        action = execution.action
        try:
            note = await self._executors[action.action_type](execution, action.payload)
        except Withheld as exc:
            return execution.not_finished(exc.code)
        except NotNow as exc:
            no = exc.judgement
            return execution.settlement(Outcome.WITHHELD, no.withhold, retry_after_s=no.retry_after_s)
        except (GitHubRateLimited, GitHubInstallationUnavailable) as exc:  # it was refused: nothing has happened
            return execution.settlement(Outcome.RELEASED, exc.reason, exc.message, pause_s=exc.pause_s)
        except GitHubUnavailable as exc:
            return execution.settlement(Outcome.RETRYABLE_FAILURE, exc.reason, exc.message)
        except GitHubRefused as exc:
            return execution.settlement(Outcome.FAILED, exc.reason, exc.message)
        except Exception as exc:
            return execution.settlement(Outcome.RETRYABLE_FAILURE, "INTERNAL", f"{type(exc).__name__}: {exc}")
        return execution.settlement(Outcome.SUCCEEDED, note)
