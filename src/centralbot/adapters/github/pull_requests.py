"""The port ``PullRequests`` over GitHub's REST API."""

from __future__ import annotations

from dataclasses import replace

from centralbot.adapters.github import operations
from centralbot.adapters.github.client import GitHubClient
from centralbot.adapters.github.shapes import Pull, Written, decode
from centralbot.ports.driven.github import (
    GitHubRefused,
    GitHubUnavailable,
    PullRequestRef,
    PullRequestState,
    Ready,
    always,
)


class GitHubPullRequests:
    """Reads and changes pull requests: one request each, unless a name is stale or GitHub contradicts itself."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client

    async def get(self, ref: PullRequestRef) -> PullRequestState:
        pull = await self._read(ref)
        if pull.base.repo.id != ref.repo_id:
            # The name now belongs to another repository: renamed, and the old name taken again.
            self._client.name_is_stale(ref.repo_id)
            pull = await self._read(replace(ref, repo_full_name=""))
        return pull.to_port()

    async def close(self, ref: PullRequestRef, *, ready: Ready = always) -> None:
        try:
            await self._set_state(ref, "closed", ready)
        except GitHubRefused as refused:
            # A pull request merged a moment ago answers 422: what we wanted is so, if by another hand.
            if refused.status != 422 or (await self.get(ref)).is_open:
                raise

    async def reopen(self, ref: PullRequestRef, *, ready: Ready = always) -> None:
        try:
            await self._set_state(ref, "open", ready)
        except GitHubRefused as refused:
            if refused.status != 422:
                raise
            raise GitHubRefused(refused.message, reason="CANNOT_REOPEN", status=422) from refused

    async def _set_state(self, ref: PullRequestRef, state: str, ready: Ready) -> None:
        request = operations.set_pull_state(ref, state)
        answer = await self._client.as_installation(ref.installation_id, request, ready=ready)
        if decode(answer, Written).state not in {state, None}:
            message = f"GitHub answers HTTP {answer.status}, but the pull request is not {state}"
            raise GitHubUnavailable(message, reason="BAD_ANSWER", status=answer.status)

    async def _read(self, ref: PullRequestRef) -> Pull:
        return decode(await self._client.as_installation(ref.installation_id, operations.get_pull(ref)), Pull)
