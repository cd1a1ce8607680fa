"""One GitHub for the contract suite, in two makes: in memory, and the real client against the simulator over HTTP."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import httpx

from centralbot.adapters.github.app import GitHubApp, GitHubSettings, PooledNetwork, open_github
from centralbot.domain.events import GHOST_USER_ID
from centralbot.domain.facts import Permission
from centralbot.ports.github import (
    Collaborators,
    Comments,
    GitHubUnavailable,
    Installations,
    OpenPullRequests,
    PullRequestRef,
    PullRequests,
    WebhookDelivery,
)
from github_simulator import Fault, FaultKind, Simulator, running
from tests.adapters.simulators import PRIVATE_KEY
from tests.doubles.memory.clock import ManualClock
from tests.doubles.memory.github import MemoryGitHub
from tests.openapi import validate_request


class World(Protocol):
    """What people can do to a pull request and an installation, whatever the GitHub is made of."""

    clock: ManualClock
    pull_requests: PullRequests
    open_pull_requests: OpenPullRequests
    comments: Comments
    collaborators: Collaborators
    installations: Installations

    def open(self, *, draft: bool = False) -> PullRequestRef: ...
    def human_comments(self, ref: PullRequestRef, body: str) -> int: ...
    def deletes(self, ref: PullRequestRef, comment_id: int) -> None: ...
    def bodies(self, ref: PullRequestRef) -> list[str]: ...
    def lock(self, ref: PullRequestRef) -> None: ...
    def archive(self, ref: PullRequestRef) -> None: ...
    def merge(self, ref: PullRequestRef) -> None: ...
    def label(self, ref: PullRequestRef, name: str) -> None: ...
    def lose_author(self, ref: PullRequestRef) -> None: ...
    def grant(self, ref: PullRequestRef, login: str, role: str, *, base: Permission | None = None) -> None: ...
    def delete_account(self, login: str) -> None: ...
    def lose_branch(self, ref: PullRequestRef) -> None: ...
    def add_repositories(self, count: int) -> None: ...
    def suspend(self, *, suspended: bool) -> None: ...
    def uninstall(self) -> None: ...
    def fail_create_after_effect(self) -> None: ...
    def create_requests(self) -> int: ...


@dataclass
class MemoryWorld:
    """The fake."""

    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.github = MemoryGitHub(self.clock.now)
        self.pull_requests: PullRequests = self.github
        self.open_pull_requests: OpenPullRequests = self.github
        self.comments: Comments = self.github
        self.collaborators: Collaborators = self.github
        self.installations: Installations = self.github
        self.installation_id = self.github.install(123, account_login="org")

    def open(self, *, draft: bool = False) -> PullRequestRef:
        return self.github.open_pull_request(draft=draft, installation_id=self.installation_id)

    def human_comments(self, ref: PullRequestRef, body: str) -> int:
        return self.github.add_comment(ref, body, author_id=31)

    def deletes(self, ref: PullRequestRef, comment_id: int) -> None:
        self.github.delete_comment(ref, comment_id)

    def bodies(self, ref: PullRequestRef) -> list[str]:
        return [comment.body for comment in self.github.comments_on(ref)]

    def lock(self, ref: PullRequestRef) -> None:
        self.github.pull(ref).locked = True

    def archive(self, ref: PullRequestRef) -> None:
        self.github.repositories[ref.repo_id].archived = True

    def merge(self, ref: PullRequestRef) -> None:
        self.github.merge(ref)

    def label(self, ref: PullRequestRef, name: str) -> None:
        self.github.pull(ref).labels += (name,)

    def grant(self, ref: PullRequestRef, login: str, role: str, *, base: Permission | None = None) -> None:
        self.github.set_role(ref.repo_id, login, role, base=base or Permission.READ)

    def delete_account(self, login: str) -> None:
        self.github.unknown_logins.add(login.lower())

    def lose_author(self, ref: PullRequestRef) -> None:
        pull = self.github.pull(ref)
        pull.author_id, pull.author_login = GHOST_USER_ID, "ghost"

    def lose_branch(self, ref: PullRequestRef) -> None:
        self.github.pull(ref).head_exists = False
        self.github.close_by_hand(ref)

    def add_repositories(self, count: int) -> None:
        for number in range(count):
            self.github.add_repository(number + 1, f"org/more-{number}", installation_id=self.installation_id)

    def suspend(self, *, suspended: bool) -> None:
        self.github.suspend(self.installation_id, suspended=suspended)

    def uninstall(self) -> None:
        self.github.uninstall(self.installation_id)

    def fail_create_after_effect(self) -> None:
        self.github.fail_next(GitHubUnavailable("Server Error", reason="HTTP_502"), call="create", after_effect=True)

    def create_requests(self) -> int:
        return self.github.calls.count("create")

    def delivered(self, deliveries: list[WebhookDelivery]) -> None:
        self.github.deliveries.extend(deliveries)


@dataclass
class SimulatorWorld:
    """The real client, and GitHub simulated over real HTTP; both read the same clock."""

    simulator: Simulator
    app: GitHubApp
    clock: ManualClock

    def __post_init__(self) -> None:
        self.pull_requests: PullRequests = self.app.pull_requests
        self.open_pull_requests: OpenPullRequests = self.app.open_pull_requests
        self.comments: Comments = self.app.comments
        self.collaborators: Collaborators = self.app.collaborators
        self.installations: Installations = self.app.installations
        self.world = self.simulator.world
        self.world.add_organization("org")
        self.installation_id = self.world.install("org", [])

    def open(self, *, draft: bool = False) -> PullRequestRef:
        self.world.add_repositories(self.installation_id, ["org/repo-999"])
        repo_id = self.world.repository("org/repo-999").id
        number = self.world.open_pull_request(repo_id, "contrib", draft=draft)
        return PullRequestRef(
            installation_id=self.installation_id, repo_id=repo_id, repo_full_name="org/repo-999", number=number
        )

    def human_comments(self, ref: PullRequestRef, body: str) -> int:
        return self.world.add_comment(ref.repo_id, ref.number, "somebody", body)

    def deletes(self, ref: PullRequestRef, comment_id: int) -> None:
        self.world.delete_comment(comment_id)

    def bodies(self, ref: PullRequestRef) -> list[str]:
        return [comment.body for comment in self.world.pull(ref.repo_id, ref.number).comments]

    def lock(self, ref: PullRequestRef) -> None:
        self.world.lock(ref.repo_id, ref.number)

    def archive(self, ref: PullRequestRef) -> None:
        self.world.archive(ref.repo_id)

    def merge(self, ref: PullRequestRef) -> None:
        self.world.merge(ref.repo_id, ref.number)

    def label(self, ref: PullRequestRef, name: str) -> None:
        self.world.label(ref.repo_id, ref.number, name)

    def grant(self, ref: PullRequestRef, login: str, role: str, *, base: Permission | None = None) -> None:
        self.world.set_collaborator(ref.repo_id, login, role, base)

    def delete_account(self, login: str) -> None:
        self.world.delete_user(login)

    def lose_author(self, ref: PullRequestRef) -> None:
        self.world.delete_user("contrib")

    def lose_branch(self, ref: PullRequestRef) -> None:
        self.world.delete_head_branch(ref.repo_id, ref.number)

    def add_repositories(self, count: int) -> None:
        self.world.add_repositories(self.installation_id, [f"org/more-{number}" for number in range(count)])

    def suspend(self, *, suspended: bool) -> None:
        (self.world.suspend if suspended else self.world.unsuspend)(self.installation_id)

    def uninstall(self) -> None:
        self.world.uninstall(self.installation_id)

    def fail_create_after_effect(self) -> None:
        fault = Fault(kind=FaultKind.STATUS, operation="issues/create-comment", count=1, after_effect=True)
        self.simulator.faults.add(fault)

    def create_requests(self) -> int:
        return self.simulator.requests.by_operation["issues/create-comment"]


def as_described(request: httpx.Request) -> None:
    """Raise NotAsDescribed unless GitHub's OpenAPI description allows this request, its headers included."""
    body = json.loads(request.content) if request.content else None
    validate_request(request.method, request.url.path, dict(request.url.params), body)
    pinned = (request.headers.get("X-GitHub-Api-Version"), request.headers.get("Accept"))
    assert pinned == ("2022-11-28", "application/vnd.github+json")


class Recording(PooledNetwork):
    """The network, with every request shown to ``seen`` as it leaves."""

    def __init__(self, seen: Callable[[httpx.Request], None]) -> None:
        super().__init__(max_connections=100, timeout_s=10.0)
        self._seen = seen

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._seen(request)
        return await super().handle_async_request(request)


@asynccontextmanager
async def simulated(seen: Callable[[httpx.Request], None]) -> AsyncIterator[SimulatorWorld]:
    """The real client against a simulator of its own, every request shown to ``seen``."""
    clock = ManualClock(datetime.fromisoformat("2026-02-16T12:00:00+00:00"))
    simulator = Simulator(
        webhook_secret="s", private_key_pem=PRIVATE_KEY, clock=lambda: clock.now().timestamp(), chance=lambda: 0.0
    )
    async with running(simulator) as base_url:
        settings = GitHubSettings(app_id=str(simulator.app_id), private_key_pem=PRIVATE_KEY, api_url=base_url)
        transport = Recording(seen)
        async with open_github(settings, clock=clock, jitter=lambda: 0.0, http_transport=transport) as app:
            yield SimulatorWorld(simulator=simulator, app=app, clock=clock)
