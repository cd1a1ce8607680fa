"""What an OpenAPI document says of one endpoint, and the endpoints of the bot and of the sign-in.

The handlers decode their bodies themselves, with errors that name the field, so Litestar cannot describe them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from centralbot.adapters.backend_http.schemas import actions, events


class ErrorDetail(msgspec.Struct):
    code: str
    message: str


class ErrorAnswer(msgspec.Struct):
    error: ErrorDetail


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One value in the path, the query or a header."""

    name: str
    place: str
    required: bool = True
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path. ``security`` names the schemes of which any one will do; none: open to everybody.

    ``answer`` None: no body, or a page (``html``). ``refusals`` answer with the error envelope.
    """

    method: str
    path: str
    name: str
    summary: str
    tag: str
    request: Any = None
    request_required: bool = True
    answer: Any = None
    html: bool = False
    status: int = 200
    refusals: tuple[int, ...] = ()
    parameters: Sequence[Parameter] = ()
    security: tuple[str, ...] = ()


def query(name: str, text: str, *, required: bool = False, **schema: Any) -> Parameter:
    """A query parameter."""
    return Parameter(name=name, place="query", required=required, schema={"type": "string", **schema}, text=text)


def path_id(name: str, text: str) -> Parameter:
    """An id of GitHub's in the path."""
    return Parameter(name=name, place="path", schema={"type": "integer", "minimum": 1, "maximum": 2**63 - 1}, text=text)


def path_uuid(name: str, text: str) -> Parameter:
    """An id of ours in the path."""
    return Parameter(name=name, place="path", schema={"type": "string", "format": "uuid"}, text=text)


SIGNED = tuple(
    Parameter(name=name, place="header", required=required, text=text)
    for name, required, text in (
        ("x-sitg-key-id", True, "id of an active service key"),
        ("x-sitg-timestamp", True, "unix seconds"),
        ("x-sitg-signature", True, "sha256= and the hex HMAC-SHA256"),
        ("x-sitg-nonce", False, "16 to 64 characters, fresh per request"),
    )
)
_ACTION = Parameter(name="action_id", place="path", text="the action, as claimed")


def _internal(
    path: str, name: str, summary: str, request: Any, answer: Any, *more: Parameter, refusals: tuple[int, ...]
) -> Operation:
    return Operation(
        method="post",
        path=f"/internal/v2/{path}",
        name=name,
        summary=summary,
        tag="internal",
        request=request,
        answer=answer,
        refusals=refusals,
        parameters=(*SIGNED, *more),
    )


TAKEN = (400, 403, 413, 503)
INTERNAL: tuple[Operation, ...] = (
    _internal(
        "github/events/pull-request", "ingestPullRequest", "Take a pull request delivery, once",
        events.PullRequestRequest, events.PullRequestAnswer, refusals=TAKEN,
    ),
    _internal(
        "github/events/installation-sync", "ingestInstallation", "Take an installation delivery, once",
        events.InstallationRequest, events.InstallationAnswer, refusals=TAKEN,
    ),
    _internal(
        "bot-actions/claim", "claimActions", "Lease actions to a worker",
        actions.ClaimBody, actions.ClaimAnswer, refusals=TAKEN,
    ),
    _internal(
        "bot-actions/{action_id}/result", "settleAction", "Take the result of a leased action",
        actions.ResultBody, actions.ResultAnswer, _ACTION, refusals=(400, 403, 404, 409, 413, 503),
    ),
)  # fmt: skip

_AUTH = "/api/v1/auth"
SIGN_IN: tuple[Operation, ...] = (
    Operation(
        method="get",
        path=f"{_AUTH}/github/start",
        name="startSignIn",
        summary="Go to GitHub to sign in",
        tag="sign-in",
        html=True,
        status=302,
        refusals=(400, 503),
        parameters=(
            query("return_to", "the path of ours to come back to"),
            query("select_account", "true: have GitHub ask which account"),
        ),
    ),
    Operation(
        method="get",
        path=f"{_AUTH}/github/callback",
        name="finishSignIn",
        summary="Where GitHub sends the browser back",
        tag="sign-in",
        html=True,
        status=303,
        refusals=(400, 403, 429, 503),
        parameters=tuple(query(name, "as GitHub gives it") for name in ("state", "code", "error")),
    ),
    Operation(
        method="post",
        path=f"{_AUTH}/logout",
        name="signOut",
        summary="Sign out: JSON callers get 204, browsers a redirect",
        tag="sign-in",
        status=204,
        refusals=(303, 403, 503),
        parameters=(query("return_to", "a path of ours to send a browser to afterwards; default the start page"),),
    ),
)
