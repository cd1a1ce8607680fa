"""GitHub in memory: ports over a small world that a test controls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from centralbot.domain.comments import marker_line
from centralbot.domain.events import Actor, AuthorAssociation, UserType
from centralbot.domain.facts import Permission
from centralbot.ports.github import (
    AppInfo,
    AuthorPermission,
    GitHubError,
    GitHubInstallationUnavailable,
    GitHubRefused,
    InstallationInfo,
    OpenPullRequest,
    PullRequestRef,
    PullRequestState,
    Ready,
    RepositoryName,
    WebhookDelivery,
    always,
)

PAUSE_S = 300.0


@dataclass(slots=True, kw_only=True)
class MemoryComment:
    id: int
    author_id: int
    body: str


@dataclass(slots=True, kw_only=True)
class MemoryPullRequest:
    """Fields may be set by a test as people set them on GitHub: ``locked``, ``draft``, ``head_exists``."""

    author_id: int | None
    head_sha: str
    is_open: bool = True
    merged: bool = False
    draft: bool = False
    locked: bool = False
    head_exists: bool = True
    closed_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    author_login: str = "contrib"
    author_type: UserType = UserType.USER
    association: AuthorAssociation = AuthorAssociation.NONE
    labels: tuple[str, ...] = ()
    comments: list[MemoryComment] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class MemoryRepository:
    """``roles`` maps logins, in lower case, to what they may do here; everybody else may read."""

    id: int
    full_name: str
    installation_id: int
    archived: bool = False
    roles: dict[str, AuthorPermission] = field(default_factory=dict)
    pulls: dict[int, MemoryPullRequest] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Failure:
    error: GitHubError
    call: str | None
    after_effect: bool


class GitHubWorld:
    """The state and the controls. ``calls`` lists every port call by its method's name, in order."""

    def __init__(self, now: Callable[[], datetime], *, bot_user_id: int = 41_898_282) -> None:
        self.now = now
        self.bot_user_id = bot_user_id
        self.app = AppInfo(
            id=7,
            slug="centralbot",
            name="centralbot",
            permissions={"pull_requests": "write", "metadata": "read"},
            events=("pull_request", "repository"),
        )
        self.installations: dict[int, InstallationInfo] = {}
        self.repositories: dict[int, MemoryRepository] = {}
        self.deliveries: list[WebhookDelivery] = []
        self.redelivered: list[int] = []
        self.unknown_logins: set[str] = set()
        """In lower case: nobody is called that. Every other login is somebody's."""
        self.calls: list[str] = []
        self._failures: list[_Failure] = []
        self._last_comment_id = 0

    def install(self, installation_id: int = 123, *, account_login: str = "org") -> int:
        """Install the App on an organization. Returns the installation's id."""
        self.installations[installation_id] = InstallationInfo(
            id=installation_id,
            account_id=installation_id,
            account_login=account_login,
            account_type="Organization",
            repository_selection="selected",
            suspended=False,
            updated_at=self.now(),
        )
        return installation_id

    def add_repository(self, repo_id: int, full_name: str, *, installation_id: int = 123) -> MemoryRepository:
        """A repository that the installation reaches; the App is installed if it was not."""
        if installation_id not in self.installations:
            self.install(installation_id)
        repo = MemoryRepository(id=repo_id, full_name=full_name, installation_id=installation_id)
        self.repositories[repo_id] = repo
        return repo

    def open_pull_request(
        self,
        *,
        repo_id: int = 999,
        number: int | None = None,
        installation_id: int = 123,
        author_id: int | None = 2002,
        draft: bool = False,
        head_sha: str = "a" * 40,
        created_at: datetime | None = None,
    ) -> PullRequestRef:
        """Open one, in a repository and an installation that are made if they do not exist. Returns where it is."""
        repo = self.repositories.get(repo_id)
        if repo is None:
            repo = self.add_repository(repo_id, f"org/repo-{repo_id}", installation_id=installation_id)
        number = number or max(repo.pulls, default=0) + 1
        opened_at = created_at or self.now()
        repo.pulls[number] = MemoryPullRequest(
            author_id=author_id, head_sha=head_sha, draft=draft, created_at=opened_at, updated_at=opened_at
        )
        return PullRequestRef(
            installation_id=repo.installation_id, repo_id=repo.id, repo_full_name=repo.full_name, number=number
        )

    def pull(self, ref: PullRequestRef) -> MemoryPullRequest:
        """The pull request, found by ids alone. Raises GitHubRefused with reason NOT_FOUND."""
        repo = self.repositories.get(ref.repo_id)
        pull = None if repo is None else repo.pulls.get(ref.number)
        if repo is None or pull is None or repo.installation_id != ref.installation_id:
            raise GitHubRefused("Not Found", reason="NOT_FOUND", status=404)
        return pull

    def set_role(self, repo_id: int, login: str, role: str, *, base: Permission = Permission.READ) -> None:
        """Give somebody a role: one of :class:`Permission`'s words, or a custom one that is built on ``base``."""
        granted = Permission(role) if role in set(Permission) else base
        self.repositories[repo_id].roles[login.lower()] = AuthorPermission(permission=granted, role=role)

    def merge(self, ref: PullRequestRef) -> None:
        pull = self.pull(ref)
        pull.is_open, pull.merged, pull.closed_at = False, True, self.now()

    def close_by_hand(self, ref: PullRequestRef) -> None:
        pull = self.pull(ref)
        pull.is_open, pull.closed_at = False, self.now()

    def reopen_by_hand(self, ref: PullRequestRef) -> None:
        pull = self.pull(ref)
        pull.is_open, pull.closed_at = True, None

    def comments_on(self, ref: PullRequestRef) -> list[MemoryComment]:
        """Everybody's comments, oldest first."""
        return list(self.pull(ref).comments)

    def our_comments(self, ref: PullRequestRef) -> list[str]:
        """The bodies of the bot's comments, oldest first."""
        return [comment.body for comment in self.pull(ref).comments if comment.author_id == self.bot_user_id]

    def add_comment(self, ref: PullRequestRef, body: str, *, author_id: int = 2002) -> int:
        """Somebody comments. Returns the comment's id; ids grow over the whole of GitHub."""
        self._last_comment_id += 1
        self.pull(ref).comments.append(MemoryComment(id=self._last_comment_id, author_id=author_id, body=body))
        return self._last_comment_id

    def delete_comment(self, ref: PullRequestRef, comment_id: int) -> None:
        pull = self.pull(ref)
        pull.comments = [comment for comment in pull.comments if comment.id != comment_id]

    def suspend(self, installation_id: int, *, suspended: bool = True) -> None:
        found = self.installations[installation_id]
        self.installations[installation_id] = replace(found, suspended=suspended, updated_at=self.now())

    def uninstall(self, installation_id: int) -> None:
        del self.installations[installation_id]

    def fail_next(self, error: GitHubError, *, call: str | None = None, after_effect: bool = False) -> None:
        """Let the next call (or the next of method ``call``) raise ``error``; failures queue up, one call each.

        With ``after_effect`` the call does its work first: GitHub answered 502 after creating the comment.
        """
        self._failures.append(_Failure(error=error, call=call, after_effect=after_effect))

    @contextmanager
    def call(self, name: str, installation_id: int | None = None) -> Iterator[None]:
        """Around every port method: counts it, plays the failure that is due, checks the installation."""
        self.calls.append(name)
        failure = next((planned for planned in self._failures if planned.call in (None, name)), None)
        if failure is not None:
            self._failures.remove(failure)
            if not failure.after_effect:
                raise failure.error
        if installation_id is not None:
            self._check(installation_id)
        yield
        if failure is not None:
            raise failure.error

    def _check(self, installation_id: int) -> None:
        found = self.installations.get(installation_id)
        if found is None:
            message, reason, status = "Not Found", "INSTALLATION_NOT_FOUND", 404
        elif found.suspended:
            message, reason, status = "This installation has been suspended", "SUSPENDED", 403
        else:
            return
        raise GitHubInstallationUnavailable(message, pause_s=PAUSE_S, reason=reason, status=status)


PAGE_SIZE = 100


class MemoryGitHub(GitHubWorld):
    """Pass it wherever one of GitHub's ports is asked for."""

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
                labels=pull.labels,
                updated_at=pull.updated_at,
                author_type=None if pull.author_id is None else pull.author_type,
                author_association=pull.association,
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

    async def permission(self, ref: PullRequestRef, login: str) -> AuthorPermission:
        with self.call("permission", ref.installation_id):
            repo = self.repositories.get(ref.repo_id)
            here = repo is not None and repo.installation_id == ref.installation_id
            if repo is None or not here or not login.strip(".") or login.lower() in self.unknown_logins:
                raise GitHubRefused("Not Found", reason="NOT_FOUND", status=404)
            return repo.roles.get(login.lower()) or AuthorPermission(permission=Permission.READ, role="read")

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
