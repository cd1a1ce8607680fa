"""GitHub in memory: the ports ``PullRequests``, ``OpenPullRequests``, ``Comments`` and ``Installations`` in one object.

Its controls are inherited from :class:`~centralbot.adapters.memory.github_world.GitHubWorld`::

    github = MemoryGitHub(clock.now)
    ref = github.open_pull_request(repo_id=7, author_id=2002)
    github.fail_next(GitHubUnavailable("502"), after_effect=True)   # the next call works, but says that it did not
    ...
    assert [comment.body for comment in github.comments_on(ref)] == [...]
    assert github.calls == ["create"]                               # every port call, by method name, in order
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from centralbot.adapters.memory.github_world import GitHubWorld, MemoryPullRequest, MemoryRepository
from centralbot.domain.comments import marker_line
from centralbot.domain.events import Actor
from centralbot.ports.driven.github import (
    AppInfo,
    GitHubRefused,
    InstallationInfo,
    PullRequestRef,
    PullRequestState,
    Ready,
    RepositoryName,
    WebhookDelivery,
    always,
)
from centralbot.ports.driven.open_pull_requests import OpenPullRequest

PAGE_SIZE = 100


class MemoryGitHub(GitHubWorld):
    """Pass it wherever one of the four ports is asked for."""

    async def get(self, ref: PullRequestRef) -> PullRequestState:
        with self.call("get", ref.installation_id):
            pull = self.pull(ref)
            return PullRequestState(
                is_open=pull.is_open,
                merged=pull.merged,
                draft=pull.draft,
                locked=pull.locked,
                author_id=pull.author_id,
                head_sha=pull.head_sha,
                closed_at=pull.closed_at,
            )

    async def close(self, ref: PullRequestRef, *, ready: Ready = always) -> None:
        ready()
        with self.call("close", ref.installation_id):
            pull = self._writable(ref)
            if pull.is_open:
                pull.is_open, pull.closed_at = False, self.now()

    async def reopen(self, ref: PullRequestRef, *, ready: Ready = always) -> None:
        ready()
        with self.call("reopen", ref.installation_id):
            pull = self._writable(ref)
            if not pull.is_open and (pull.merged or not pull.head_exists):
                raise GitHubRefused("The head branch is gone or was merged", reason="CANNOT_REOPEN", status=422)
            pull.is_open, pull.closed_at = True, None

    async def list_open(
        self, installation_id: int, repository: RepositoryName, *, since: datetime
    ) -> Sequence[OpenPullRequest]:
        with self.call("list_open", installation_id):
            repo = self.repositories.get(repository.id)
            if repo is None or repo.installation_id != installation_id:
                raise GitHubRefused("Not Found", reason="NOT_FOUND", status=404)
            pulls = [(number, pull) for number, pull in repo.pulls.items() if pull.is_open]
            pulls.sort(key=lambda one: (one[1].created_at, one[0]), reverse=True)
            until = sum(pull.created_at >= since for _, pull in pulls) + 1
            end = -(-until // PAGE_SIZE) * PAGE_SIZE  # with the whole page that reaches back past ``since``
            return [listed(repo, number, pull) for number, pull in pulls[:end]]

    async def create(self, ref: PullRequestRef, body: str, *, ready: Ready = always) -> int:
        ready()
        with self.call("create", ref.installation_id):
            pull = self._writable(ref)
            if pull.locked:
                raise GitHubRefused("The issue is locked", reason="LOCKED", status=403)
            return self.add_comment(ref, body, author_id=self.bot_user_id)

    async def find_own(self, ref: PullRequestRef, marker: str, *, comment_id: int | None = None) -> int | None:
        with self.call("find_own", ref.installation_id):
            line = marker_line(marker)
            ours = [
                comment.id
                for comment in self.pull(ref).comments
                if comment.author_id == self.bot_user_id and line in comment.body
            ]
            return comment_id if comment_id in ours else next(iter(ours), None)

    async def update(self, ref: PullRequestRef, comment_id: int, body: str, *, ready: Ready = always) -> bool:
        ready()
        with self.call("update", ref.installation_id):
            pull = self._writable(ref)
            for comment in pull.comments:
                if comment.id == comment_id and comment.author_id == self.bot_user_id:
                    comment.body = body
                    return True
            return False

    async def get_app(self) -> AppInfo:
        with self.call("get_app"):
            return self.app

    async def list_installations(self) -> Sequence[InstallationInfo]:
        with self.call("list_installations"):
            return list(self.installations.values())

    async def list_repositories(self, installation_id: int) -> Sequence[RepositoryName]:
        with self.call("list_repositories", installation_id):
            here = [repo for repo in self.repositories.values() if repo.installation_id == installation_id]
            return [RepositoryName(id=repo.id, full_name=repo.full_name) for repo in here]

    async def list_deliveries(self, *, since: datetime) -> Sequence[WebhookDelivery]:
        with self.call("list_deliveries"):
            recent = [delivery for delivery in self.deliveries if delivery.delivered_at >= since]
            return sorted(recent, key=lambda delivery: (delivery.delivered_at, delivery.id), reverse=True)

    async def redeliver(self, delivery_id: int) -> None:
        with self.call("redeliver"):
            if all(delivery.id != delivery_id for delivery in self.deliveries):
                raise GitHubRefused("Not Found", reason="NOT_FOUND", status=404)
            self.redelivered.append(delivery_id)

    def _writable(self, ref: PullRequestRef) -> MemoryPullRequest:
        pull = self.pull(ref)
        if self.repositories[ref.repo_id].archived:
            raise GitHubRefused("Repository was archived so is read-only", reason="ARCHIVED", status=403)
        return pull


def listed(repo: MemoryRepository, number: int, pull: MemoryPullRequest) -> OpenPullRequest:
    """A pull request as GitHub's list shows it."""
    author = None if pull.author_id is None else Actor(id=pull.author_id, login=pull.author_login)
    return OpenPullRequest(
        id=repo.id * 100_000 + number,
        number=number,
        html_url=f"https://github.com/{repo.full_name}/pull/{number}",
        draft=pull.draft,
        author=author,
        author_type=None if author is None else pull.author_type,
        author_association=pull.association,
        head_sha=pull.head_sha,
        created_at=pull.created_at,
        updated_at=pull.updated_at,
        labels=pull.labels,
    )
