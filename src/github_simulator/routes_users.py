"""OAuth and the REST routes of signed-in people."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qsl, urlencode

from github_simulator.credentials import ACCESS_LIFETIME_S, REFRESH_LIFETIME_S, GrantRefused
from github_simulator.http import ApiError, Request, Response, not_found
from github_simulator.model import Account, Installation, Json, Repository
from github_simulator.routing import Call, Route, counted
from github_simulator.state import UnknownThing

DOCS = "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/"
DESCRIPTIONS = {
    "bad_verification_code": "The code passed is incorrect or expired.",
    "incorrect_client_credentials": "The client_id and/or client_secret passed are incorrect.",
    "redirect_uri_mismatch": "The redirect_uri MUST match the registered callback URL for this application.",
    "bad_refresh_token": "The refresh token passed is incorrect or expired.",
    "unsupported_grant_type": "The grant type is not supported.",
}


def access_token(call: Call) -> Response:
    """GitHub answers 200 to everything here; ``error`` in the body is the refusal."""
    given = _given(call.request)
    try:
        body = _granted(call, given)
    except GrantRefused as refused:
        uri = f"{DOCS}#{refused.error.replace('_', '-')}"
        body = {"error": refused.error, "error_description": DESCRIPTIONS[refused.error], "error_uri": uri}
    if "json" in call.request.headers.get("accept", ""):
        return Response(200, body)
    return Response(200, urlencode(body).encode(), {"content-type": "application/x-www-form-urlencoded; charset=utf-8"})


def _given(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").startswith("application/json"):
        return {name: value for name, value in request.object().items() if isinstance(value, str)}
    form = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    return {**request.query, **dict(form)}


def _granted(call: Call, given: dict[str, str]) -> Json:
    users = call.services.credentials.users
    if not users.knows_client(given.get("client_id", ""), given.get("client_secret", "")):
        raise GrantRefused("incorrect_client_credentials")
    kind = given.get("grant_type") or "authorization_code"
    if kind == "refresh_token":
        value, token = users.refresh(given.get("refresh_token", ""))
    elif kind == "authorization_code":
        value, token = users.exchange(
            given.get("code", ""),
            redirect_uri=given.get("redirect_uri", ""),
            verifier=given.get("code_verifier", ""),
        )
    else:
        raise GrantRefused("unsupported_grant_type")
    return {
        "access_token": value,
        "expires_in": ACCESS_LIFETIME_S,
        "refresh_token": token.refresh_token,
        "refresh_token_expires_in": REFRESH_LIFETIME_S,
        "token_type": "bearer",
        "scope": "",
    }


def delete_token(call: Call) -> Response:
    """By basic authentication with the client's id and secret; 422 for what GitHub does not know."""
    users = call.services.credentials.users
    client_id, secret = _basic(call.request)
    if not client_id:
        raise ApiError(401, "Requires authentication")
    if not users.knows_client(client_id, secret) or call.params["client_id"] != client_id:
        raise not_found()
    value = call.request.object().get("access_token")
    if not isinstance(value, str) or not users.revoke(value):
        raise ApiError(422, "Validation Failed", errors=[])
    return Response(204)


def _basic(request: Request) -> tuple[str, str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


OAUTH_ROUTES = (
    Route(
        operation="oauth/access-token",
        method="POST",
        path="/login/oauth/access_token",
        callers=("app", "installation", "user", "anonymous"),
        handler=access_token,
        limited=False,
    ),
    Route(
        operation="apps/delete-token",
        method="DELETE",
        path="/applications/{client_id}/token",
        callers=("anonymous",),
        handler=delete_token,
        limited=False,
    ),
)


def get_user(call: Call) -> Response:
    account = call.world.logins.get(call.params["username"].lower())
    if account is None:
        raise not_found()
    return Response(200, call.shapes.public_user(account))


def _user(call: Call) -> Account:
    if call.caller.user is None:
        raise not_found()
    return call.caller.user


def get_authenticated_user(call: Call) -> Response:
    return Response(200, call.shapes.public_user(_user(call)))


def _sees(call: Call, installation: Installation) -> bool:
    """Whether the user has an explicit role (not only the public's read) in anything that the installation reaches."""
    user = _user(call)
    account = installation.account
    return user.id in {account.id, *account.members} or any(
        user.id in repository.collaborators for repository in call.world.repositories_of(installation)
    )


def list_user_installations(call: Call) -> Response:
    found = [one for one in call.world.installations.values() if _sees(call, one)]
    return counted(call, "installations", found, call.shapes.installation)


def list_user_installation_repositories(call: Call) -> Response:
    try:
        installation = call.world.installation(call.number("installation_id"))
    except UnknownThing:
        raise not_found() from None
    if not _sees(call, installation):
        raise not_found()
    user = _user(call)
    found = [
        one
        for one in call.world.repositories_of(installation)
        if user.id in {one.owner.id, *one.owner.members, *one.collaborators}
    ]

    def with_permissions(one: Repository) -> Json:
        return {**call.shapes.repository(one), **call.shapes.role(one, call.world.role(user, one))}

    return counted(call, "repositories", found, with_permissions, repository_selection=installation.selection)


_ROUTES = (
    Route(
        operation="users/get-by-username",
        method="GET",
        path="/users/{username}",
        callers=("installation", "user", "anonymous"),
        handler=get_user,
    ),
    Route(
        operation="users/get-authenticated",
        method="GET",
        path="/user",
        callers=("user",),
        handler=get_authenticated_user,
    ),
    Route(
        operation="apps/list-installations-for-authenticated-user",
        method="GET",
        path="/user/installations",
        callers=("user",),
        handler=list_user_installations,
    ),
    Route(
        operation="apps/list-installation-repos-for-authenticated-user",
        method="GET",
        path="/user/installations/{installation_id}/repositories",
        callers=("user",),
        handler=list_user_installation_repositories,
    ),
)

ROUTES = (*OAUTH_ROUTES, *_ROUTES)
