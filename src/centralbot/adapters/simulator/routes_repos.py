"""Repositories, their collaborators and their pull requests.

https://docs.github.com/en/rest/repos, https://docs.github.com/en/rest/collaborators, https://docs.github.com/en/rest/pulls
"""

from __future__ import annotations

from . import shapes_pulls
from .credentials import CallerKind
from .http import ApiError, Response, invalid, not_found
from .model import PullRequest
from .routing import Call, Route, listed

ARCHIVED = "Repository was archived so is read-only."
PERMISSION_OF_ROLE = {"maintain": "write", "triage": "read"}


def pull_in(call: Call, name: str) -> PullRequest:
    """The pull request of the path. Raises ApiError 404."""
    pull = call.repo.pulls.get(call.number(name))
    if pull is None:
        raise not_found()
    return pull


def refuse_archived(call: Call) -> None:
    """Raises ApiError 403 where the repository only lets itself be read."""
    if call.repo.archived:
        raise ApiError(403, ARCHIVED)


def get_repository(call: Call) -> Response:
    """For a signed-in caller with their role."""
    body, user = call.shapes.full_repository(call.repo), call.caller.user
    return Response(200, body if user is None else {**body, **call.shapes.role(call.world.role(user, call.repo))})


def get_permission(call: Call) -> Response:
    """``permission`` knows four levels; ``role_name`` tells maintain and triage apart."""
    account = call.world.logins.get(call.params["username"].lower())
    if account is None:
        raise not_found()
    role = call.world.role(account, call.repo)
    permission = PERMISSION_OF_ROLE.get(role, role)
    user = call.shapes.user(account) | call.shapes.role(role)
    return Response(200, {"permission": permission, "role_name": role, "user": user})


def list_pulls(call: Call) -> Response:
    """Newest first by creation, open ones unless ``state`` says otherwise."""
    query = call.request.query
    state = query.get("state", "open")
    if state not in ("open", "closed", "all"):
        raise invalid("state must be one of: open, closed, all", "PullRequest", "state")
    found = [pull for pull in call.repo.pulls.values() if state in ("all", pull.state)]
    key = {"updated": lambda pull: (pull.updated_at, pull.number)}.get(
        query.get("sort", "created"), lambda pull: (pull.created_at, pull.number)
    )
    default = "desc" if query.get("sort", "created") == "created" else "asc"
    found.sort(key=key, reverse=query.get("direction", default) == "desc")
    repository = call.shapes.repository(call.repo)
    return listed(call, found, lambda pull: shapes_pulls.simple_pull(call.shapes, pull, repository))


def get_pull(call: Call) -> Response:
    return Response(200, shapes_pulls.pull_request(call.shapes, pull_in(call, "pull_number")))


def update_pull(call: Call) -> Response:
    """Close or reopen. Any other field is refused: GitHub was seen to (google/go-github#3456); none is needed."""
    pull, body = pull_in(call, "pull_number"), call.request.object()
    refuse_archived(call)
    others = sorted(set(body) - {"state"})
    if others:
        raise invalid(f"{others[0]} cannot be changed here", "PullRequest", others[0])
    state = body.get("state", pull.state)
    if state not in ("open", "closed"):
        raise invalid("state must be open or closed", "PullRequest", "state")
    if state == "closed" and pull.merged:
        raise invalid("state cannot be changed. The pull request is already merged.", "PullRequest", "state")
    if state == "closed":
        call.world.close_pull_request(call.repo.id, pull.number, by=call.actor)
    elif pull.state == "closed":
        try:
            call.world.reopen(call.repo.id, pull.number, by=call.actor)
        except ValueError as exc:
            raise invalid(str(exc), "PullRequest", "state") from exc
    return Response(200, shapes_pulls.pull_request(call.shapes, pull))


_ANY: tuple[CallerKind, ...] = ("installation", "user", "anonymous")

ROUTES = (
    Route(
        operation="repos/get",
        method="GET",
        path="/repos/{owner}/{repo}",
        callers=_ANY,
        permissions=({"metadata": "read"},),
        handler=get_repository,
    ),
    Route(
        operation="repos/get-collaborator-permission-level",
        method="GET",
        path="/repos/{owner}/{repo}/collaborators/{username}/permission",
        callers=("installation", "user"),
        permissions=({"metadata": "read"},),
        handler=get_permission,
    ),
    Route(
        operation="pulls/list",
        method="GET",
        path="/repos/{owner}/{repo}/pulls",
        callers=_ANY,
        permissions=({"pull_requests": "read"},),
        handler=list_pulls,
    ),
    Route(
        operation="pulls/get",
        method="GET",
        path="/repos/{owner}/{repo}/pulls/{pull_number}",
        callers=_ANY,
        permissions=({"pull_requests": "read"},),
        handler=get_pull,
    ),
    Route(
        operation="pulls/update",
        method="PATCH",
        path="/repos/{owner}/{repo}/pulls/{pull_number}",
        callers=("installation", "user"),
        permissions=({"pull_requests": "write"},),
        handler=update_pull,
    ),
)
