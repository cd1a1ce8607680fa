"""The requests that we make, as values. ``operation`` is the operation id of GitHub's OpenAPI description.

A repository is asked for by name, the documented way; ``by_id`` is the same resource under ``/repositories/{id}``, to
which GitHub itself redirects after a rename, for when the name is out of date.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from centralbot.adapters.github.errors import MINT
from centralbot.ports.github import PullRequestRef, RepositoryName

PAGE_SIZE: Final = 100
"""The most that GitHub gives on a page."""

_FULL_NAME = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9_.-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One request. ``path`` and ``by_id`` begin after the API's base address; ``json`` is the body, if any."""

    operation: str
    method: str
    path: str
    by_id: str | None = None
    repo_id: int | None = None
    json: Mapping[str, object] | None = None

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


PERMISSION = "repos/get-collaborator-permission-level"


def get_pull(ref: PullRequestRef) -> ApiRequest:
    return of_pull_request("pulls/get", "GET", ref, f"pulls/{ref.number}")


def set_pull_state(ref: PullRequestRef, state: str) -> ApiRequest:
    """Only ``state``: with ``base`` beside it GitHub answers 422 (google/go-github#3456)."""
    return of_pull_request("pulls/update", "PATCH", ref, f"pulls/{ref.number}", {"state": state})


def list_open_pulls(repository: RepositoryName) -> ApiRequest:
    """Newest first by creation: where the caller stops, all that follows is older."""
    path = f"pulls?state=open&sort=created&direction=desc&per_page={PAGE_SIZE}"
    return _named("pulls/list", "GET", repository.id, repository.full_name, path)


def create_comment(ref: PullRequestRef, body: str) -> ApiRequest:
    return of_pull_request("issues/create-comment", "POST", ref, f"issues/{ref.number}/comments", {"body": body})


def list_comments(ref: PullRequestRef) -> ApiRequest:
    path = f"issues/{ref.number}/comments?per_page={PAGE_SIZE}"
    return of_pull_request("issues/list-comments", "GET", ref, path)


def get_comment(ref: PullRequestRef, comment_id: int) -> ApiRequest:
    return of_pull_request("issues/get-comment", "GET", ref, f"issues/comments/{comment_id}")


def update_comment(ref: PullRequestRef, comment_id: int, body: str) -> ApiRequest:
    return of_pull_request("issues/update-comment", "PATCH", ref, f"issues/comments/{comment_id}", {"body": body})


def get_permission(ref: PullRequestRef, login: str) -> ApiRequest:
    """By id: the answer names no repository, so one that had taken over the name would go unnoticed."""
    path = f"/repositories/{ref.repo_id}/collaborators/{quote(login, safe='')}/permission"
    return ApiRequest(operation=PERMISSION, method="GET", path=path)


def get_permission_by_name(ref: PullRequestRef, login: str) -> ApiRequest:
    """The documented way, for a server that does not know a repository's resources by id."""
    return of_pull_request(PERMISSION, "GET", ref, f"collaborators/{quote(login, safe='')}/permission")


def get_app() -> ApiRequest:
    return ApiRequest(operation="apps/get-authenticated", method="GET", path="/app")


def get_hook_config() -> ApiRequest:
    return ApiRequest(operation="apps/get-webhook-config-for-app", method="GET", path="/app/hook/config")


def get_user(login: str) -> ApiRequest:
    return ApiRequest(operation="users/get-by-username", method="GET", path=f"/users/{quote(login, safe='')}")


def mint_token(installation_id: int) -> ApiRequest:
    path = f"/app/installations/{installation_id}/access_tokens"
    return ApiRequest(operation=MINT, method="POST", path=path)


def list_installations() -> ApiRequest:
    path = f"/app/installations?per_page={PAGE_SIZE}"
    return ApiRequest(operation="apps/list-installations", method="GET", path=path)


def list_repositories() -> ApiRequest:
    path = f"/installation/repositories?per_page={PAGE_SIZE}"
    return ApiRequest(operation="apps/list-repos-accessible-to-installation", method="GET", path=path)


def list_deliveries() -> ApiRequest:
    path = f"/app/hook/deliveries?per_page={PAGE_SIZE}"
    return ApiRequest(operation="apps/list-webhook-deliveries", method="GET", path=path)


def redeliver(delivery_id: int) -> ApiRequest:
    path = f"/app/hook/deliveries/{delivery_id}/attempts"
    return ApiRequest(operation="apps/redeliver-webhook-delivery", method="POST", path=path)


def of_pull_request(
    operation: str, method: str, ref: PullRequestRef, rest: str, json: Mapping[str, object] | None = None
) -> ApiRequest:
    """A request of ``rest``, a path within the pull request's repository."""
    return _named(operation, method, ref.repo_id, ref.repo_full_name, rest, json)


def _named(
    operation: str, method: str, repo_id: int, full_name: str, rest: str, json: Mapping[str, object] | None = None
) -> ApiRequest:
    by_id = f"/repositories/{repo_id}/{rest}"
    path = f"/repos/{full_name}/{rest}" if _FULL_NAME.fullmatch(full_name) is not None else by_id
    return ApiRequest(operation=operation, method=method, path=path, by_id=by_id, repo_id=repo_id, json=json)
