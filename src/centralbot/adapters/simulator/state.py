"""The simulated world's memory: who and what exists, how it is found, and the webhooks that it owes.

What changes it lives in ``installations.py`` and ``pulls.py``; nothing here does I/O or reads a clock by itself.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from .model import GHOST_ID, Account, AccountType, Comment, Event, Installation, Json, PullRequest, Repository
from .shapes import Shapes

RepositoryRef = str | int
"""A repository as ``owner/name`` or by its id."""


class UnknownThing(LookupError):
    """The world holds nothing under that name or id."""


@dataclass(slots=True, kw_only=True)
class State:
    """Accounts, repositories and installations. Ids are of GitHub's order of magnitude, some beyond 32 bits."""

    shapes: Shapes
    clock: Callable[[], float]
    send: Callable[[Event], None]
    accounts: dict[int, Account] = field(default_factory=dict)
    logins: dict[str, Account] = field(default_factory=dict)
    repositories: dict[int, Repository] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    """Every full name, in lower case, that ever led to a repository: old ones redirect."""
    installations: dict[int, Installation] = field(default_factory=dict)
    installed_on: dict[int, Installation] = field(default_factory=dict)
    comments: dict[int, tuple[PullRequest, Comment]] = field(default_factory=dict)
    ids: dict[str, Iterator[int]] = field(
        default_factory=lambda: {
            "account": itertools.count(70_000_001),
            "installation": itertools.count(50_000_001),
            "repository": itertools.count(800_000_001),
            "pull": itertools.count(2_100_000_001),
            "comment": itertools.count(2_900_000_001),
        }
    )

    def __post_init__(self) -> None:
        for account in (self.shapes.app_info.owner, self.shapes.app_info.bot):
            self._remember(account)
        self.add_account("ghost", id=GHOST_ID)

    def _remember(self, account: Account) -> Account:
        self.accounts[account.id] = account
        self.logins[account.login.lower()] = account
        return account

    def add_account(self, login: str, id: int | None = None, type: AccountType = "User") -> Account:
        """Create the account, or return the one that has this login already."""
        known = self.logins.get(login.lower())
        if known is not None:
            return known
        number = next(self.ids["account"]) if id is None else id
        if number in self.accounts:
            raise ValueError(f"account id {number} is taken by {self.accounts[number].login}")
        return self._remember(Account(id=number, login=login, type=type, created_at=self.clock()))

    def account(self, login: str) -> Account:
        """The account of this login, which is created as a user where it does not exist yet."""
        return self.logins.get(login.lower()) or self.add_account(login)

    def repository(self, ref: RepositoryRef) -> Repository:
        """The repository of this id or full name, present or former. Raises UnknownThing."""
        number = ref if isinstance(ref, int) else self.names.get(ref.lower())
        found = None if number is None else self.repositories.get(number)
        if found is None:
            raise UnknownThing(f"no repository {ref!r}")
        return found

    def pull(self, ref: RepositoryRef, number: int) -> PullRequest:
        """The pull request of this number. Raises UnknownThing."""
        found = self.repository(ref).pulls.get(number)
        if found is None:
            raise UnknownThing(f"no pull request {ref}#{number}")
        return found

    def installation(self, installation_id: int) -> Installation:
        """The installation of this id. Raises UnknownThing when it was deleted or never was."""
        found = self.installations.get(installation_id)
        if found is None:
            raise UnknownThing(f"no installation {installation_id}")
        return found

    def installation_of(self, repository: Repository) -> Installation | None:
        """The installation that reaches this repository, suspended or not."""
        installation = self.installed_on.get(repository.owner.id)
        return installation if installation is not None and self.reaches(installation, repository) else None

    def reaches(self, installation: Installation, repository: Repository) -> bool:
        if installation.account.id != repository.owner.id:
            return False
        return installation.selection == "all" or repository.id in installation.selected

    def repositories_of(self, installation: Installation) -> list[Repository]:
        """What the installation reaches, in order of id."""
        if installation.selection == "selected":
            return [self.repositories[number] for number in sorted(installation.selected)]
        return [found for _, found in sorted(self.repositories.items()) if found.owner.id == installation.account.id]

    def role(self, account: Account, repository: Repository) -> str:
        """The role name that ``/collaborators/{user}/permission`` reports."""
        if account.id == repository.owner.id or account.id in repository.owner.members:
            return "admin"
        return repository.collaborators.get(account.id, "none" if repository.private else "read")

    def emit(
        self, name: str, payload: Json, installation: Installation | None, repository: Repository | None = None
    ) -> None:
        """Owe the App one webhook. What happens in a suspended installation's repositories is told to nobody."""
        if installation is None or (installation.suspended_at is not None and not name.startswith("installation")):
            return
        self.send(
            Event(
                guid=str(uuid.uuid4()),
                name=name,
                action=payload.get("action"),
                installation_id=installation.id,
                repository_id=None if repository is None else repository.id,
                body=msgspec.json.encode(payload),
            )
        )
