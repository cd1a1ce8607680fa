"""People's GitHub for the contract suite, in two makes: in memory, and the real client against the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from centralbot.adapters.github.sign_in import PeopleSettings, PeopleSide, open_people
from centralbot.domain.errors import Unavailable
from centralbot.domain.events import Actor
from centralbot.ports.people import PeopleOnGitHub, RepoRole, SignIn
from github_simulator import Fault, FaultKind, Simulator, running
from tests.adapters.browsers import query_of
from tests.adapters.simulators import PRIVATE_KEY
from tests.doubles.memory.clock import ManualClock
from tests.doubles.memory.people import MemoryPeople

CALLBACK = "http://127.0.0.1:8080/api/v1/auth/github/callback"


class People(Protocol):
    """What people can do on GitHub, whatever it is made of."""

    clock: ManualClock
    sign_in: SignIn
    github: PeopleOnGitHub

    def user(self, login: str) -> Actor: ...
    def repository(self, full_name: str, *, connected: bool = True, private: bool = False) -> int: ...
    def installation_of(self, repo_id: int) -> int: ...
    def give(self, repo_id: int, login: str, role: RepoRole) -> None: ...
    def rename(self, repo_id: int, full_name: str) -> None: ...
    def delete(self, repo_id: int) -> None: ...
    async def consent(self, authorize_url: str, login: str) -> str: ...
    def token(self, login: str) -> str: ...
    def withdraw(self, login: str) -> None: ...
    def fail_next(self) -> None: ...


@dataclass
class MemoryWorld:
    """The fake."""

    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.people = MemoryPeople(self.clock.now)
        self.sign_in: SignIn = self.people
        self.github: PeopleOnGitHub = self.people

    def user(self, login: str) -> Actor:
        return self.people.add_user(login)

    def repository(self, full_name: str, *, connected: bool = True, private: bool = False) -> int:
        repo_id = 1000 + len(self.people.repos)
        self.people.add_repository(repo_id, full_name, installation_id=7 if connected else None, private=private)
        return repo_id

    def installation_of(self, repo_id: int) -> int:
        return self.people.repos[repo_id].installation_id or 0

    def give(self, repo_id: int, login: str, role: RepoRole) -> None:
        self.people.set_role(repo_id, login, role)

    def rename(self, repo_id: int, full_name: str) -> None:
        self.people.repos[repo_id].full_name = full_name

    def delete(self, repo_id: int) -> None:
        del self.people.repos[repo_id]

    async def consent(self, authorize_url: str, login: str) -> str:
        return self.people.consent(authorize_url, login)

    def token(self, login: str) -> str:
        return self.people.issue(login).access_token

    def withdraw(self, login: str) -> None:
        self.people.withdraw(login)

    def fail_next(self) -> None:
        self.people.fail_next(Unavailable("Server Error"))


@dataclass
class SimulatorWorld:
    """The real client over real HTTP; both sides read the same clock."""

    simulator: Simulator
    side: PeopleSide
    clock: ManualClock
    browser: httpx.AsyncClient

    def __post_init__(self) -> None:
        self.sign_in: SignIn = self.side.sign_in
        self.github: PeopleOnGitHub = self.side.github
        self.world = self.simulator.world
        self.world.add_organization("org")
        self.world.add_organization("elsewhere")
        self.world.install("org", [])

    def user(self, login: str) -> Actor:
        return Actor(id=self.world.add_user(login), login=login)

    def repository(self, full_name: str, *, connected: bool = True, private: bool = False) -> int:
        repo_id = self.world.add_repository(full_name, private=private)
        if connected:
            self.world.add_repositories(self.installation_of(repo_id), [repo_id])
        return repo_id

    def installation_of(self, repo_id: int) -> int:
        return self.world.installed_on[self.world.repository(repo_id).owner.id].id

    def give(self, repo_id: int, login: str, role: RepoRole) -> None:
        self.world.set_collaborator(repo_id, login, str(role))

    def rename(self, repo_id: int, full_name: str) -> None:
        self.world.rename_repository(repo_id, full_name.partition("/")[2])

    def delete(self, repo_id: int) -> None:
        self.world.delete_repository(repo_id)

    async def consent(self, authorize_url: str, login: str) -> str:
        answer = await self.browser.post(authorize_url, data={"login": login})
        return query_of(answer.headers["location"])["code"]

    def token(self, login: str) -> str:
        return self.simulator.users.issue(login)

    def withdraw(self, login: str) -> None:
        self.simulator.users.revoke_all(login)

    def fail_next(self) -> None:
        self.simulator.faults.add(Fault(kind=FaultKind.STATUS, count=1))


@asynccontextmanager
async def simulated_people() -> AsyncIterator[SimulatorWorld]:
    """The real client against a simulator of its own."""
    clock = ManualClock()
    simulator = Simulator(
        webhook_secret="s", private_key_pem=PRIVATE_KEY, clock=lambda: clock.now().timestamp(), chance=lambda: 0.0
    )
    async with running(simulator) as base, httpx.AsyncClient(trust_env=False) as browser:
        settings = PeopleSettings(
            client_id=simulator.client_id, client_secret=simulator.client_secret, api_url=base, web_url=base
        )
        async with open_people(settings, clock=clock) as side:
            yield SimulatorWorld(simulator=simulator, side=side, clock=clock, browser=browser)
