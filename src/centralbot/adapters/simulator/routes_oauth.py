"""What a server does in the sign-in: codes and refresh tokens into user tokens, and taking one back.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
and https://docs.github.com/en/rest/apps/oauth-applications#delete-an-app-token
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qsl, urlencode

from .http import ApiError, Request, Response, not_found
from .model import Json
from .routing import Call, Route
from .user_tokens import ACCESS_LIFETIME_S, REFRESH_LIFETIME_S, GrantRefused

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


ROUTES = (
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
