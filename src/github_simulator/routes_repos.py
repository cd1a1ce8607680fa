"""REST routes of repositories, pull requests and comments."""

from __future__ import annotations

from calendar import timegm
from datetime import datetime

from github_simulator import schemas as shapes_pulls
from github_simulator.credentials import CallerKind
from github_simulator.http import ApiError, Response, invalid, not_found
from github_simulator.model import Comment, PullRequest
from github_simulator.routing import Call, Handler, Permissions, Route, listed
from github_simulator.state import UnknownThing

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
    if user is not None:
        body |= call.shapes.role(call.repo, call.world.role(user, call.repo))
    return Response(200, body)


def get_permission(call: Call) -> Response:
    """``permission`` knows four levels; ``role_name`` tells maintain, triage and custom roles apart."""
    account = call.world.logins.get(call.params["username"].lower())
    if account is None:
        raise not_found()
    role = call.world.role(account, call.repo)
    base = call.repo.custom_roles.get(role, role)
    permission = PERMISSION_OF_ROLE.get(base, base)
    user = call.shapes.user(account) | call.shapes.role(call.repo, role)
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

_ROUTES = (
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


MAX_BODY_CHARS = 65_536
LOCKED = "Unable to create comment because issue is locked."


def _comment_in(call: Call) -> tuple[PullRequest, Comment]:
    found = call.world.comments.get(call.number("comment_id"))
    if found is None or found[0].repository is not call.repo:
        raise not_found()
    return found


def _text(call: Call) -> str:
    body = call.request.object().get("body")
    if not isinstance(body, str) or not body.strip():
        raise invalid("body can't be blank", "IssueComment", "body", "missing_field")
    if len(body) > MAX_BODY_CHARS:
        raise invalid(f"body is too long (maximum is {MAX_BODY_CHARS} characters)", "IssueComment", "body")
    return body


def list_comments(call: Call) -> Response:
    """Ascending by id; ``since`` filters by the last update."""
    pull = pull_in(call, "issue_number")
    found, since = pull.comments, call.request.query.get("since")
    if since:
        try:
            after = timegm(datetime.fromisoformat(since).utctimetuple())
        except ValueError:
            raise ApiError(422, "since must be a timestamp", errors=[]) from None
        found = [comment for comment in found if comment.updated_at >= after]
    return listed(call, found, lambda comment: shapes_pulls.comment(call.shapes, pull, comment))


def create_comment(call: Call) -> Response:
    pull = pull_in(call, "issue_number")
    refuse_archived(call)
    if pull.locked:
        raise ApiError(403, LOCKED)
    via_app = call.caller.installation is not None
    number = call.world.add_comment(call.repo.id, pull.number, call.actor, _text(call), via_app)
    body = shapes_pulls.comment(call.shapes, pull, call.world.comments[number][1])
    return Response(201, body, {"location": str(body["url"])})


def get_comment(call: Call) -> Response:
    return Response(200, shapes_pulls.comment(call.shapes, *_comment_in(call)))


def update_comment(call: Call) -> Response:
    """GitHub lets an App with write permission edit anybody's comment; the page and the snapshot show who did."""
    pull, comment = _comment_in(call)
    refuse_archived(call)
    call.world.edit_comment(comment.id, _text(call), by=call.actor)
    return Response(200, shapes_pulls.comment(call.shapes, pull, comment))


def delete_comment(call: Call) -> Response:
    _, comment = _comment_in(call)
    refuse_archived(call)
    call.world.delete_comment(comment.id)
    return Response(204)


def list_labels(call: Call) -> Response:
    pull = pull_in(call, "issue_number")
    return listed(call, pull.labels, lambda name: shapes_pulls.label(call.shapes, call.repo, name))


def _labels(call: Call, pull: PullRequest) -> Response:
    return Response(200, [shapes_pulls.label(call.shapes, call.repo, name) for name in pull.labels])


def add_labels(call: Call) -> Response:
    pull = pull_in(call, "issue_number")
    refuse_archived(call)
    wanted = call.request.object().get("labels")
    given: list[object] = wanted if isinstance(wanted, list) else []
    names = [str(one["name"]) if isinstance(one, dict) and "name" in one else one for one in given]
    if not names or not all(isinstance(name, str) and 0 < len(name) <= 50 for name in names):
        raise invalid("labels must be a list of names", "Label", "labels")
    for name in names:
        call.world.label(call.repo.id, pull.number, str(name), by=call.actor)
    return _labels(call, pull)


def remove_label(call: Call) -> Response:
    pull = pull_in(call, "issue_number")
    refuse_archived(call)
    try:
        call.world.unlabel(call.repo.id, pull.number, call.params["name"], by=call.actor)
    except UnknownThing:
        raise ApiError(404, "Label does not exist") from None
    return _labels(call, pull)


def _either(level: str) -> tuple[Permissions, ...]:
    return ({"issues": level}, {"pull_requests": level})


_COMMENTS = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
_COMMENT = "/repos/{owner}/{repo}/issues/comments/{comment_id}"
_LABELS = "/repos/{owner}/{repo}/issues/{issue_number}/labels"


def _read(operation: str, path: str, handler: Handler) -> Route:
    return Route(
        operation=operation,
        method="GET",
        path=path,
        callers=("installation", "user", "anonymous"),
        permissions=_either("read"),
        handler=handler,
    )


def _write(operation: str, method: str, path: str, handler: Handler, *, content: bool = False) -> Route:
    return Route(
        operation=operation,
        method=method,
        path=path,
        callers=("installation", "user"),
        permissions=_either("write"),
        handler=handler,
        content=content,
    )


ISSUE_ROUTES = (
    _read("issues/list-comments", _COMMENTS, list_comments),
    _write("issues/create-comment", "POST", _COMMENTS, create_comment, content=True),
    _read("issues/get-comment", _COMMENT, get_comment),
    _write("issues/update-comment", "PATCH", _COMMENT, update_comment),
    _write("issues/delete-comment", "DELETE", _COMMENT, delete_comment),
    _read("issues/list-labels-on-issue", _LABELS, list_labels),
    _write("issues/add-labels", "POST", _LABELS, add_labels),
    _write("issues/remove-label", "DELETE", _LABELS + "/{name}", remove_label),
)

ROUTES = (*_ROUTES, *ISSUE_ROUTES)
