"""Comments and labels of pull requests, which are issues to this part of the API.

https://docs.github.com/en/rest/issues/comments and https://docs.github.com/en/rest/issues/labels
"""

from __future__ import annotations

from calendar import timegm
from datetime import datetime

from . import shapes_pulls
from .http import ApiError, Response, invalid, not_found
from .model import Comment, PullRequest
from .routes_repos import pull_in, refuse_archived
from .routing import Call, Handler, Permissions, Route, listed
from .state import UnknownThing

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


ROUTES = (
    _read("issues/list-comments", _COMMENTS, list_comments),
    _write("issues/create-comment", "POST", _COMMENTS, create_comment, content=True),
    _read("issues/get-comment", _COMMENT, get_comment),
    _write("issues/update-comment", "PATCH", _COMMENT, update_comment),
    _write("issues/delete-comment", "DELETE", _COMMENT, delete_comment),
    _read("issues/list-labels-on-issue", _LABELS, list_labels),
    _write("issues/add-labels", "POST", _LABELS, add_labels),
    _write("issues/remove-label", "DELETE", _LABELS + "/{name}", remove_label),
)
