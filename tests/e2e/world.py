"""A running fleet as tests see it: what people do on GitHub, what GitHub then shows, what the store holds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.config import Mode, RepoConfig
from centralbot.domain.installation import InstallationStatus
from centralbot.entrypoints.demo.fleet import Fleet, SimulatedGitHub
from centralbot.entrypoints.demo.story import seen
from centralbot.entrypoints.roots.backend import Backend


@dataclass(frozen=True, kw_only=True)
class Installed:
    """The App on one organization: its repositories' ids by their names."""

    id: int
    org: str
    repositories: dict[str, int]

    @property
    def repository(self) -> str:
        return next(iter(self.repositories))

    @property
    def repo_id(self) -> int:
        return self.repositories[self.repository]


@dataclass(kw_only=True)
class World:
    """One fleet, used by test after test; each takes organizations of its own."""

    fleet: Fleet
    backend: Backend
    orgs: Iterator[str] = field(default_factory=lambda: (f"org-{number}" for number in itertools.count(1)))
    """The names of the organizations, each taken once."""

    @property
    def github(self) -> SimulatedGitHub:
        return self.fleet.github

    async def install(self, *names: str, window_s: int = 600, selection: str = "selected") -> Installed:
        """A new organization with these repositories and the App on it, once the backend knows."""
        org = next(self.orgs)
        await self.github.act("add_organization", login=org, members=["owner"])
        ids: dict[str, int] = {}
        for name in names or ("repo",):
            ids[f"{org}/{name}"] = await self.add_repository(f"{org}/{name}", window_s=window_s)
        chosen = list(ids.values()) if selection == "selected" else []
        number = await self.github.act("install", account=org, repositories=chosen, selection=selection)
        for repo_id in ids.values():
            await self.connected(repo_id, True)
        return Installed(id=number, org=org, repositories=ids)

    async def add_repository(self, full_name: str, *, window_s: int = 600) -> int:
        repo_id = int(await self.github.act("add_repository", full_name=full_name))
        config = RepoConfig(mode=Mode.ENFORCE, window_s=window_s)
        await self.backend.store.repositories.configure(repo_id, config, actor="test")
        return repo_id

    async def open(self, repository: str, author: str = "mona", **details: Any) -> int:
        return int(await self.github.act("open_pull_request", repository=repository, author=author, **details))

    async def asked(self, installed: Installed, repository: str | None = None, **details: Any) -> int:
        """A pull request whose author was asked, once the backend knows that the comment is there."""
        name = repository or installed.repository
        number = await self.open(name, **details)
        repo_id = installed.repositories[name]

        async def probe() -> bool:
            return (await self.challenge(repo_id, number)).deadline_at is not None

        await self.shows(name, number, "open: asked")
        await self.fleet.until("the notice", probe)
        return number

    async def shows(self, repository: str, number: int, wanted: str) -> None:
        """Wait until GitHub shows the pull request like this."""

        async def probe() -> bool:
            return seen(await self.github.pull(repository, number)) == wanted

        await self.fleet.until(f"{repository}#{number} to be {wanted}", probe)

    async def seen(self, repository: str, number: int) -> str:
        return seen(await self.github.pull(repository, number))

    async def challenge(self, repo_id: int, number: int) -> Challenge:
        """The newest challenge of a pull request."""
        found = await self.backend.store.challenges.search(repo_id=repo_id)
        return next(one for one in found if one.pr_number == number)

    async def becomes(self, repo_id: int, number: int, status: ChallengeStatus) -> Challenge:
        """Wait until the newest challenge of a pull request is in that status."""

        async def probe() -> Challenge | None:
            found = await self.backend.store.challenges.search(repo_id=repo_id)
            newest = next((one for one in found if one.pr_number == number), None)
            return newest if newest is not None and newest.status is status else None

        return await self.fleet.until(f"the challenge of #{number} to be {status}", probe)

    async def connected(self, repo_id: int, wanted: bool) -> None:
        """Wait until the backend has a repository in its installation, or out of it."""

        async def probe() -> bool:
            record = await self.backend.store.repositories.get(repo_id)
            is_in = record is not None and record.connected
            return is_in is wanted and (
                not wanted or (record is not None and record.installation_status is InstallationStatus.ACTIVE)
            )

        await self.fleet.until(f"repository {repo_id} {'in' if wanted else 'out'}", probe)

    async def settled(self) -> None:
        """Wait until every webhook was delivered and no action is left to do."""

        async def probe() -> bool:
            backlog = await self.backend.store.health.backlog()
            return await self.github.is_idle() and not any(
                backlog.by_status.get(name) for name in ("PENDING", "CLAIMED")
            )

        await self.fleet.until("nothing left to do", probe)

    async def synced(self, installation_id: int) -> dict[str, Any]:
        """What ``centralbot sync`` of one installation, as a process of its own, says that it did."""
        child = self.fleet.spawn_sync("--installation", str(installation_id))
        code = await child.ended()
        del self.fleet.children[child.name]
        assert code == 0
        report: dict[str, Any] = json.loads("".join(child.printed()))
        return report

    async def swept(self) -> None:
        """Wait for a whole pass of the sweeper that begins from now on."""
        sweeper = self.fleet.children["sweeper"]
        before = len(sweeper.printed())

        async def probe() -> bool:
            return len(sweeper.printed()) >= before + 2

        await self.fleet.until("two more passes of the sweeper", probe)
