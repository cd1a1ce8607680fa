"""What this GitHub holds, and installing the App."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from github_simulator.model import (
    GHOST_ID,
    Account,
    AccountType,
    Comment,
    Event,
    Installation,
    Json,
    PullRequest,
    Repository,
    Selection,
)
from github_simulator.schemas import BASE_ROLES, ROLES, Shapes, node_id

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


class InstallationActs(State):
    """Accounts, repositories and installations. ``by`` is always the login of who does it; by default the owner."""

    __slots__ = ()

    def add_organization(self, login: str, id: int | None = None, members: Sequence[str] = ()) -> int:
        """Create an organization; its members are owners. Returns its id."""
        account = self.add_account(login, id, "Organization")
        account.members.update(self.account(member).id for member in members)
        return account.id

    def add_user(self, login: str, id: int | None = None, type: str = "User") -> int:
        """Create a user, or a bot with type ``Bot``. Returns its id."""
        return self.add_account(login, id, "Bot" if type == "Bot" else "User").id

    def add_repository(self, full_name: str, id: int | None = None, private: bool = False) -> int:
        """Create ``owner/name``; an installation on all repositories hears of it. Returns its id."""
        owner_login, _, name = full_name.partition("/")
        owner = self.account(owner_login)
        known = self.repositories.get(self.names.get(full_name.lower(), 0))
        if known is not None and known.full_name.lower() == full_name.lower():
            return known.id
        number = next(self.ids["repository"]) if id is None else id
        repository = Repository(id=number, name=name, owner=owner, private=private, created_at=self.clock())
        self.repositories[number] = repository
        self.names[full_name.lower()] = number
        installation = self.installed_on.get(owner.id)
        if installation is not None and installation.selection == "all":
            self._emit_repositories(installation, owner, added=[repository])
        return number

    def set_collaborator(self, repository: RepositoryRef, login: str, role: str, base: str | None = None) -> None:
        """Give somebody ``read``, ``triage``, ``write``, ``maintain`` or ``admin``.

        Any other name is a custom role's, built on ``base``: ValueError unless that is read, triage, write or maintain.
        """
        found = self.repository(repository)
        if role not in ROLES:
            if base not in BASE_ROLES:
                raise ValueError(f"the custom role {role!r} needs a base: {', '.join(BASE_ROLES)}")
            found.custom_roles[role] = base
        found.collaborators[self.account(login).id] = role

    def install(
        self,
        account: str,
        repositories: Sequence[RepositoryRef] = (),
        selection: Selection = "selected",
        *,
        by: str | None = None,
        id: int | None = None,
        permissions: Mapping[str, str] | None = None,
    ) -> int:
        """Install the App. Repositories that do not exist are created (``name`` or ``owner/name``). Returns the id."""
        owner = self.account(account)
        if owner.id in self.installed_on:
            raise ValueError(f"the App is installed on {account} already")
        chosen = {self._ensure(owner, ref).id for ref in repositories}
        now = self.clock()
        installation = Installation(
            id=next(self.ids["installation"]) if id is None else id,
            account=owner,
            selection=selection,
            selected=chosen,
            permissions=dict(permissions or self.shapes.app_info.permissions),
            created_at=now,
            updated_at=now,
        )
        self.installations[installation.id] = self.installed_on[owner.id] = installation
        self._emit_installation("created", installation, by)
        return installation.id

    def uninstall(self, installation_id: int, by: str | None = None) -> None:
        """Delete the installation: its tokens die, GitHub answers 404 for it from now on."""
        installation = self.installation(installation_id)
        self._emit_installation("deleted", installation, by)
        del self.installations[installation_id]
        del self.installed_on[installation.account.id]

    def suspend(self, installation_id: int, by: str | None = None) -> None:
        installation = self.installation(installation_id)
        installation.suspended_at = installation.updated_at = self.clock()
        installation.suspended_by = self._actor(installation.account, by)
        self._emit_installation("suspend", installation, by)

    def unsuspend(self, installation_id: int, by: str | None = None) -> None:
        installation = self.installation(installation_id)
        installation.suspended_at = installation.suspended_by = None
        installation.updated_at = self.clock()
        self._emit_installation("unsuspend", installation, by)

    def add_repositories(
        self, installation_id: int, repositories: Sequence[RepositoryRef], by: str | None = None
    ) -> None:
        installation = self.installation(installation_id)
        added = [self._ensure(installation.account, ref) for ref in repositories]
        installation.selected.update(repository.id for repository in added)
        self._emit_repositories(installation, self._actor(installation.account, by), added=added)

    def remove_repositories(
        self, installation_id: int, repositories: Sequence[RepositoryRef], by: str | None = None
    ) -> None:
        installation = self.installation(installation_id)
        removed = [self.repository(ref) for ref in repositories]
        installation.selected.difference_update(repository.id for repository in removed)
        self._emit_repositories(installation, self._actor(installation.account, by), removed=removed)

    def select_repositories(
        self, installation_id: int, repositories: Sequence[RepositoryRef], by: str | None = None
    ) -> None:
        """Switch from all to selected repositories: as on GitHub, the list of removed ones is empty."""
        installation = self.installation(installation_id)
        kept = [self.repository(ref) for ref in repositories]
        installation.selection, installation.selected = "selected", {repository.id for repository in kept}
        self._emit_repositories(installation, self._actor(installation.account, by), action="removed")

    def select_all_repositories(self, installation_id: int, by: str | None = None) -> None:
        installation = self.installation(installation_id)
        installation.selection, installation.selected = "all", set()
        self._emit_repositories(installation, self._actor(installation.account, by), action="added")

    def set_permissions(self, installation_id: int, permissions: Mapping[str, str]) -> None:
        """Change what the installation may do, without a webhook, to play a missing permission."""
        self.installation(installation_id).permissions = dict(permissions)

    def rename_repository(self, repository: RepositoryRef, name: str, by: str | None = None) -> None:
        """Rename; the old name redirects to the id from now on."""
        found = self.repository(repository)
        old, found.name = found.name, name
        self.names[found.full_name.lower()] = found.id
        self._emit_repository("renamed", found, by, changes={"repository": {"name": {"from": old}}})

    def transfer_repository(self, repository: RepositoryRef, new_owner: str, by: str | None = None) -> None:
        """Move to another account: the old installation loses it, the new one, if it takes all, gains it."""
        found = self.repository(repository)
        old_owner, before = found.owner, self.installation_of(found)
        found.owner = self.account(new_owner)
        self.names[found.full_name.lower()] = found.id
        actor = self._actor(old_owner, by)
        if before is not None:
            before.selected.discard(found.id)
            self._emit_repositories(before, actor, removed=[found])
        after = self.installation_of(found)
        if after is not None:
            self._emit_repositories(after, actor, added=[found])
        origin = {old_owner.type.lower(): self.shapes.user(old_owner)}
        self._emit_repository("transferred", found, by, changes={"owner": {"from": origin}})

    def archive(self, repository: RepositoryRef, archived: bool = True, by: str | None = None) -> None:
        found = self.repository(repository)
        found.archived = archived
        self._emit_repository("archived" if archived else "unarchived", found, by)

    def delete_repository(self, repository: RepositoryRef, by: str | None = None) -> None:
        """Delete for good: 404 under every name. GitHub was seen to send ``removed`` as well (github/docs#36991)."""
        found = self.repository(repository)
        installation = self.installation_of(found)
        self._emit_repository("deleted", found, by)
        del self.repositories[found.id]
        for pull in found.pulls.values():
            for comment in pull.comments:
                self.comments.pop(comment.id, None)
        if installation is not None:
            installation.selected.discard(found.id)
            self._emit_repositories(installation, self._actor(installation.account, by), removed=[found])

    def _ensure(self, owner: Account, ref: RepositoryRef) -> Repository:
        if isinstance(ref, int):
            return self.repository(ref)
        return self.repositories[self.add_repository(ref if "/" in ref else f"{owner.login}/{ref}")]

    def _actor(self, default: Account, by: str | None) -> Account:
        return default if by is None else self.account(by)

    def _emit_installation(self, action: str, installation: Installation, by: str | None) -> None:
        body = self.shapes.installation(installation)
        payload: Json = {"action": action, "installation": body}
        if action in ("created", "deleted"):
            # GitHub writes these two times as integers here and as strings elsewhere (webhook examples).
            body |= {"created_at": int(installation.created_at), "updated_at": int(installation.updated_at)}
            payload["repositories"] = [self.shapes.repository_name(r) for r in self.repositories_of(installation)]
            payload["requester"] = None
        payload["sender"] = self.shapes.user(self._actor(installation.account, by))
        self.emit("installation", payload, installation)

    def _emit_repositories(
        self,
        installation: Installation,
        sender: Account,
        *,
        added: Sequence[Repository] = (),
        removed: Sequence[Repository] = (),
        action: str = "",
    ) -> None:
        installation.updated_at = self.clock()
        payload: Json = {
            "action": action or ("added" if added else "removed"),
            "installation": self.shapes.installation(installation)
            | {"created_at": int(installation.created_at), "updated_at": int(installation.updated_at)},
            "repository_selection": installation.selection,
            "repositories_added": [self.shapes.repository_name(repository) for repository in added],
            "repositories_removed": [self.shapes.repository_name(repository) for repository in removed],
            "requester": None,
            "sender": self.shapes.user(sender),
        }
        self.emit("installation_repositories", payload, installation)

    def _emit_repository(
        self, action: str, repository: Repository, by: str | None, changes: Json | None = None
    ) -> None:
        installation = self.installation_of(repository)
        if installation is None:
            return
        payload: Json = {"action": action}
        if changes is not None:
            payload["changes"] = changes
        payload |= {
            "repository": self.shapes.repository(repository),
            **self.shapes.organization(repository.owner),
            "sender": self.shapes.user(self._actor(repository.owner, by)),
            "installation": {"id": installation.id, "node_id": node_id("Integration", installation.id)},
        }
        self.emit("repository", payload, installation, repository)
