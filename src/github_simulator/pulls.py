"""What people and the bot do to pull requests, each act with the ``pull_request`` webhook that GitHub sends for it."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from github_simulator import schemas as shapes_pulls
from github_simulator.model import GHOST_ID, Account, Comment, Json, PullRequest, Repository
from github_simulator.schemas import node_id
from github_simulator.state import InstallationActs, RepositoryRef, UnknownThing


class World(InstallationActs):
    """All of the simulated GitHub. ``by`` is the login of who does it; by default the author, or the owner to merge."""

    __slots__ = ()

    def open_pull_request(
        self,
        repository: RepositoryRef,
        author: str,
        draft: bool = False,
        association: str | None = None,
        title: str = "A change",
        body: str | None = None,
        branch: str | None = None,
    ) -> int:
        """Open a pull request, with the association of the author's role unless given. Returns its number."""
        found, account, now = self.repository(repository), self.account(author), self.clock()
        number = found.next_number
        found.next_number += 1
        pull = PullRequest(
            id=next(self.ids["pull"]),
            number=number,
            repository=found,
            author=account,
            title=title,
            body=body,
            draft=draft,
            association=association or self._association(account, found),
            head_ref=branch or f"change-{number}",
            head_sha=_sha(found.id, number, "opened"),
            created_at=now,
            updated_at=now,
        )
        found.pulls[number] = pull
        found.open_count += 1
        self._tell(pull, "opened", account)
        return number

    def ready_for_review(self, repository: RepositoryRef, number: int, by: str | None = None) -> None:
        pull = self.pull(repository, number)
        pull.draft = False
        self._tell(pull, "ready_for_review", self._who(pull, by))

    def convert_to_draft(self, repository: RepositoryRef, number: int, by: str | None = None) -> None:
        pull = self.pull(repository, number)
        pull.draft = True
        self._tell(pull, "converted_to_draft", self._who(pull, by))

    def set_draft(self, repository: RepositoryRef, number: int, draft: bool = True, by: str | None = None) -> None:
        (self.convert_to_draft if draft else self.ready_for_review)(repository, number, by)

    def close_pull_request(self, repository: RepositoryRef, number: int, by: str | None = None) -> None:
        """Close without merging; closing what is closed changes nothing and says nothing."""
        pull = self.pull(repository, number)
        if pull.state == "open":
            self._close(pull, self._who(pull, by))

    def merge(self, repository: RepositoryRef, number: int, by: str | None = None) -> None:
        pull = self.pull(repository, number)
        if pull.state == "closed":
            raise ValueError(f"pull request {number} is closed and cannot be merged")
        actor = self.account(by) if by else pull.repository.owner
        pull.merged_at, pull.merged_by = self.clock(), actor
        self._close(pull, actor)

    def reopen(self, repository: RepositoryRef, number: int, by: str | None = None) -> None:
        """Reopen; raises ValueError with GitHub's words where it refuses (merged, head branch gone)."""
        pull = self.pull(repository, number)
        if pull.state == "open":
            return
        if pull.merged:
            raise ValueError("state cannot be changed. The pull request cannot be reopened.")
        if not pull.head_exists:
            raise ValueError(f"state cannot be changed. The {pull.head_ref} branch has been deleted.")
        if pull.head_rewritten:
            raise ValueError(f"state cannot be changed. The {pull.head_ref} branch was force-pushed or recreated.")
        pull.state, pull.closed_at, pull.closed_by = "open", None, None
        pull.repository.open_count += 1
        self._tell(pull, "reopened", self._who(pull, by))

    def push(self, repository: RepositoryRef, number: int, sha: str | None = None, by: str | None = None) -> str:
        """Push to the head branch (``synchronize`` while open). Returns the new head."""
        pull = self.pull(repository, number)
        before = pull.head_sha
        pull.head_sha = sha or _sha(pull.repository.id, number, before)
        if pull.state == "open":
            self._tell(pull, "synchronize", self._who(pull, by), before=before, after=pull.head_sha)
        return pull.head_sha

    synchronize = push

    def force_push(self, repository: RepositoryRef, number: int, by: str | None = None) -> str:
        """Rewrite the head branch: once closed, the pull request cannot be reopened any more. Returns the new head."""
        pull = self.pull(repository, number)
        pull.head_rewritten = pull.head_rewritten or pull.state == "closed"
        return self.push(repository, number, by=by)

    def delete_head_branch(self, repository: RepositoryRef, number: int) -> None:
        """The head branch goes, and with it an open pull request."""
        pull = self.pull(repository, number)
        pull.head_exists = False
        self.close_pull_request(repository, number)

    def label(self, repository: RepositoryRef, number: int, name: str, by: str | None = None) -> None:
        pull = self.pull(repository, number)
        if name not in pull.labels:
            pull.labels.append(name)
            self._tell(pull, "labeled", self._who(pull, by), label=self._label(pull, name))

    def unlabel(self, repository: RepositoryRef, number: int, name: str, by: str | None = None) -> None:
        """Take a label off. Raises UnknownThing where it is not on."""
        pull = self.pull(repository, number)
        if name not in pull.labels:
            raise UnknownThing(f"no label {name!r} on {number}")
        pull.labels.remove(name)
        self._tell(pull, "unlabeled", self._who(pull, by), label=self._label(pull, name))

    def lock(self, repository: RepositoryRef, number: int, locked: bool = True, by: str | None = None) -> None:
        pull = self.pull(repository, number)
        pull.locked = locked
        self._tell(pull, "locked" if locked else "unlocked", self._who(pull, by))

    def add_comment(self, repository: RepositoryRef, number: int, user: str, body: str, via_app: bool = False) -> int:
        """Write a comment. The App hears of none: it is not subscribed to ``issue_comment``. Returns the id."""
        pull, now = self.pull(repository, number), self.clock()
        comment = Comment(
            id=next(self.ids["comment"]),
            author=self.account(user),
            body=body,
            via_app=via_app,
            created_at=now,
            updated_at=now,
        )
        pull.comments.append(comment)
        pull.updated_at = now
        self.comments[comment.id] = (pull, comment)
        return comment.id

    def edit_comment(self, comment_id: int, body: str, by: str) -> None:
        comment = self._comment(comment_id)[1]
        comment.body, comment.updated_at, comment.edited_by = body, self.clock(), by

    def delete_comment(self, comment_id: int) -> None:
        pull, comment = self._comment(comment_id)
        pull.comments.remove(comment)
        del self.comments[comment_id]

    def delete_user(self, login: str) -> None:
        """Delete an account: what it wrote belongs to the ghost from now on."""
        account, ghost = self.account(login), self.accounts[GHOST_ID]
        for repository in self.repositories.values():
            for pull in repository.pulls.values():
                if pull.author is account:
                    pull.author = ghost
                for comment in pull.comments:
                    if comment.author is account:
                        comment.author = ghost
        del self.accounts[account.id], self.logins[account.login.lower()]

    def _comment(self, comment_id: int) -> tuple[PullRequest, Comment]:
        found = self.comments.get(comment_id)
        if found is None:
            raise UnknownThing(f"no comment {comment_id}")
        return found

    def _label(self, pull: PullRequest, name: str) -> Json:
        return shapes_pulls.label(self.shapes, pull.repository, name)

    def _who(self, pull: PullRequest, by: str | None) -> Account:
        return pull.author if by is None else self.account(by)

    def _association(
        self, account: Account, repository: Repository
    ) -> Literal["OWNER", "MEMBER", "COLLABORATOR", "NONE"]:
        if account.id == repository.owner.id:
            return "OWNER"
        if account.id in repository.owner.members:
            return "MEMBER"
        return "COLLABORATOR" if account.id in repository.collaborators else "NONE"

    def _close(self, pull: PullRequest, actor: Account) -> None:
        pull.state, pull.closed_at, pull.closed_by = "closed", self.clock(), actor
        pull.repository.open_count -= 1
        self._tell(pull, "closed", actor)

    def _tell(self, pull: PullRequest, action: str, sender: Account, **extra: Any) -> None:
        now = self.clock()
        pull.updated_at = now
        pull.history.append((now, sender.login, action))
        installation = self.installation_of(pull.repository)
        if installation is None:
            return
        repository = self.shapes.repository(pull.repository)
        payload: Json = {
            "action": action,
            "number": pull.number,
            "pull_request": shapes_pulls.pull_request(self.shapes, pull, repository),
            **extra,
            "repository": repository,
            **self.shapes.organization(pull.repository.owner),
            "sender": self.shapes.user(sender),
            "installation": {"id": installation.id, "node_id": node_id("Integration", installation.id)},
        }
        self.emit("pull_request", payload, installation, pull.repository)


def _sha(repository_id: int, number: int, seed: str) -> str:
    return hashlib.sha256(f"{repository_id}/{number}/{seed}".encode()).hexdigest()[:40]
