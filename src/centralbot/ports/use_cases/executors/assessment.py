"""Asks GitHub for what may still decide whether to act, and judges: the last look before a write.

Facts are asked for only where a rule needs them, and no longer than it takes: one that exempts ends the asking. To add
a fact: who knows it, in :class:`Assessor`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from centralbot.domain.facts import UNKNOWN, Fact, Facts, Permission, PullState
from centralbot.domain.policy import TOLD_BY_EVENTS, Judgement, judge
from centralbot.ports.github import Collaborators, GitHubRefused, PullRequests, PullRequestState
from centralbot.ports.use_cases.executors.execution import Execution


class NotNow(Exception):
    """The action must not be done, or not now; ``judgement`` says why. Nothing was written."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.withhold)
        self.judgement = judgement


def facts_of(state: PullRequestState) -> Facts:
    """What a pull request's state tells."""
    return Facts(
        author_type=state.author_type,
        author_association=state.author_association,
        labels=state.labels,
        is_draft=state.draft,
        state=PullState.OPEN if state.is_open else PullState.CLOSED,
        merged=state.merged,
        head_sha=state.head_sha,
        pull_request_updated_at=state.updated_at,
    )


class Assessor:
    """Judges an execution by its policy. Raises NotNow, and GitHubError where GitHub does not answer."""

    def __init__(self, pull_requests: PullRequests, collaborators: Collaborators, now: Callable[[], datetime]) -> None:
        self._pull_requests = pull_requests
        self._collaborators = collaborators
        self._now = now
        of_pull_request = dict.fromkeys(
            TOLD_BY_EVENTS,
            self._ask_pull_request,
        )
        of_author = dict.fromkeys((Fact.AUTHOR_PERMISSION, Fact.AUTHOR_ROLE), self._ask_permission)
        self._sources: dict[Fact, Callable[[Execution], Awaitable[Facts]]] = {**of_pull_request, **of_author}

    async def __call__(self, execution: Execution, state: PullRequestState | None = None) -> None:
        """Return where the action may go on. ``state``: what was read of the pull request already."""
        policy = execution.action.policy
        if policy is None:
            return
        if state is not None:
            execution.facts = execution.facts.updated(facts_of(state))
        asked: set[Callable[[Execution], Awaitable[Facts]]] = set()
        while True:
            judgement = judge(policy, execution.facts, now=self._now())
            if judgement.withhold is not None:
                raise NotNow(judgement)
            sources = [source for fact, source in self._sources.items() if fact in judgement.missing]
            source = next((one for one in sources if one not in asked), None)
            if source is None:  # what nobody here can learn changes nothing: the flow stands (contract section 10)
                return
            asked.add(source)
            execution.facts = execution.facts.updated(await source(execution))

    async def _ask_pull_request(self, execution: Execution) -> Facts:
        return facts_of(await self._pull_requests.get(execution.ref))

    async def _ask_permission(self, execution: Execution) -> Facts:
        policy = execution.action.policy
        assert policy is not None  # whoever asks has one
        if policy.author.login.endswith("[bot]"):  # an App has no role anywhere, and GitHub may not know such a user
            return Facts(author_permission=Permission.NONE)
        try:
            found = await self._collaborators.permission(execution.ref, policy.author.login)
        except GitHubRefused:  # it will not say, however often it is asked
            return UNKNOWN
        return Facts(author_permission=found.permission, author_role=found.role)
