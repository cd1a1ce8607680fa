"""The control API: what other processes may ask of this GitHub, and a snapshot of all of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import getdoc, signature
from typing import Any

import msgspec

from github_simulator.faults import Fault, Faults
from github_simulator.http import ApiError, Request, RequestLog, Response, not_found
from github_simulator.model import Comment, Installation, Json, PullRequest, Repository
from github_simulator.routing import Services
from github_simulator.schemas import optional_timestamp, timestamp
from github_simulator.state import UnknownThing

_MARKER = re.compile(r"<!--\s*(\S+)\s*-->")
SHOWN_DELIVERIES = 1000


def snapshot(services: Services, log: RequestLog) -> Json:
    """Installations, repositories, pull requests with their history, the latest deliveries, request counts."""
    world = services.world
    repositories = sorted(world.repositories.values(), key=lambda repository: repository.id)
    return {
        "app": {"id": world.shapes.app_info.id, "slug": world.shapes.app_info.slug},
        "installations": [_installation(services, one) for one in world.installations.values()],
        "repositories": [_repository(one) for one in repositories],
        "pull_requests": [pull_shape(pull) for one in repositories for pull in one.pulls.values()],
        "deliveries": _deliveries(services),
        "requests": log.counts(),
    }


def pull_shape(pull: PullRequest) -> Json:
    """One pull request, with who did what to it."""
    return {
        "repository": pull.repository.full_name,
        "repository_id": pull.repository.id,
        "id": pull.id,
        "number": pull.number,
        "title": pull.title,
        "author": pull.author.login,
        "state": pull.state,
        "merged": pull.merged,
        "draft": pull.draft,
        "locked": pull.locked,
        "labels": list(pull.labels),
        "head_sha": pull.head_sha,
        "closed_by": None if pull.closed_by is None else pull.closed_by.login,
        "closed_at": optional_timestamp(pull.closed_at),
        "comments": [_comment(comment) for comment in pull.comments],
        "history": [{"at": at, "actor": actor, "action": action} for at, actor, action in pull.history],
    }


def _comment(comment: Comment) -> Json:
    markers = _MARKER.findall(comment.body)
    return {
        "id": comment.id,
        "author": comment.author.login,
        "author_type": comment.author.type,
        "via_app": comment.via_app,
        "body": comment.body,
        "marker": markers[-1] if markers else None,
        "created_at": timestamp(comment.created_at),
        "updated_at": timestamp(comment.updated_at),
        "edited_by": comment.edited_by,
    }


def _installation(services: Services, installation: Installation) -> Json:
    return {
        "id": installation.id,
        "account": installation.account.login,
        "account_type": installation.account.type,
        "suspended": installation.suspended_at is not None,
        "repository_selection": installation.selection,
        "repositories": [one.full_name for one in services.world.repositories_of(installation)],
    }


def _repository(repository: Repository) -> Json:
    return {
        "id": repository.id,
        "full_name": repository.full_name,
        "private": repository.private,
        "archived": repository.archived,
    }


def _deliveries(services: Services) -> Json:
    records = services.deliverer.log.records
    latest = [records[number].item() for number in list(records)[-SHOWN_DELIVERIES:]]
    return {
        "total": len(records),
        "waiting": len(services.deliverer.queue),
        "by_status": dict(Counter(str(one.status_code) for one in records.values() if one.status != "pending")),
        "latest": latest,
    }


Act = Callable[..., Any]

WORLD_ACTS = (
    "add_organization",
    "add_user",
    "add_repository",
    "set_collaborator",
    "install",
    "uninstall",
    "suspend",
    "unsuspend",
    "add_repositories",
    "remove_repositories",
    "select_repositories",
    "select_all_repositories",
    "set_permissions",
    "rename_repository",
    "transfer_repository",
    "archive",
    "delete_repository",
    "open_pull_request",
    "ready_for_review",
    "convert_to_draft",
    "set_draft",
    "close_pull_request",
    "merge",
    "reopen",
    "push",
    "synchronize",
    "force_push",
    "delete_head_branch",
    "label",
    "unlabel",
    "lock",
    "add_comment",
    "edit_comment",
    "delete_comment",
    "delete_user",
)


@dataclass(slots=True, kw_only=True)
class Control:
    """Maps acts to the methods that do them."""

    services: Services
    faults: Faults
    log: RequestLog
    acts: dict[str, Act] = field(default_factory=dict)

    def __post_init__(self) -> None:
        services = self.services
        self.acts = {name: getattr(services.world, name) for name in WORLD_ACTS} | {
            "deliver": services.deliverer.deliver,
            "redeliver": services.deliverer.redeliver,
            "pause_delivery": services.deliverer.pause,
            "resume_delivery": services.deliverer.resume,
            "reverse_delivery": services.deliverer.reverse,
            "discard_delivery": services.deliverer.discard,
            "configure_delivery": services.deliverer.configure,
            "set_remaining": services.limits.set_remaining,
            "set_secondary_limits": services.limits.set_secondary,
            "revoke_installation_tokens": services.credentials.revoke_installation_tokens,
            "issue_user_token": services.credentials.users.issue,
            "expire_user_tokens": services.credentials.users.expire,
            "revoke_user_tokens": services.credentials.users.revoke_all,
            "forget_browsers": services.credentials.users.forget_browsers,
        }

    def answer(self, request: Request) -> Response:
        """Answer one control request. Raises ApiError: 400 bad arguments, 404 unknown act or thing, 415 not JSON."""
        name = "/".join(request.segments[1:])
        if request.method == "GET":
            return self._show(name, request)
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise ApiError(415, "The control API takes application/json only")
        if name == "faults":
            return self._change_faults(request)
        if name == "requests" and request.method == "DELETE":
            self.log.clear()
            return Response(200, {"result": None})
        act = self.acts.get(name)
        if act is None or request.method != "POST":
            raise not_found()
        try:
            return Response(200, {"result": act(**request.object())})
        except UnknownThing as exc:
            raise ApiError(404, str(exc)) from exc
        except KeyError as exc:
            raise ApiError(404, f"nothing under {exc}") from exc
        except (TypeError, ValueError) as exc:
            raise ApiError(400, f"{name}: {exc}") from exc

    def _show(self, name: str, request: Request) -> Response:
        if not name:
            return Response(200, {"acts": {act: _described(does) for act, does in self.acts.items()}})
        if name == "snapshot":
            return Response(200, snapshot(self.services, self.log))
        if name == "requests":
            query = request.query
            installation = query.get("installation_id", "")
            since = query.get("since", "")
            found = self.log.find(
                operation=query.get("operation"),
                installation_id=int(installation) if installation.isdecimal() else None,
                since=int(since) if since.isdecimal() else 0,
            )
            return Response(200, {"total": self.log.total, "requests": found})
        if name == "faults":
            return Response(200, {"faults": self.faults.active})
        if name == "health":
            waiting = len(self.services.deliverer.queue)
            return Response(200, {"status": "ok", "deliveries_waiting": waiting})
        raise not_found()

    def _change_faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.clear()
            return Response(200, {"result": None})
        wanted = request.object()
        unknown = sorted(set(wanted) - set(Fault.__slots__))
        if unknown:
            raise ApiError(400, f"fault: {unknown[0]} is not a field of a fault")
        try:
            fault = msgspec.convert(wanted, Fault)
        except msgspec.ValidationError as exc:
            raise ApiError(400, f"fault: {exc}") from exc
        return Response(201, {"result": self.faults.add(fault)})


def _described(act: Act) -> dict[str, str]:
    """Its arguments, with a default where they may be left out, and what it does."""
    takes = ", ".join(
        one.name if one.default is one.empty else f"{one.name}={one.default!r}"
        for one in signature(act).parameters.values()
    )
    return {"takes": takes, "does": (getdoc(act) or "").partition("\n")[0]}
