"""What people do to the App's installations and to repositories, each act with the webhooks GitHub sends for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .model import Account, Installation, Json, Repository, Selection
from .shapes import node_id
from .state import RepositoryRef, State


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

    def set_collaborator(self, repository: RepositoryRef, login: str, role: str) -> None:
        """Give somebody ``read``, ``triage``, ``write``, ``maintain`` or ``admin``."""
        self.repository(repository).collaborators[self.account(login).id] = role

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
