"""Accounts, and what a signed-in user sees of the App.

https://docs.github.com/en/rest/users and https://docs.github.com/en/rest/apps/installations. Tokens come from the web
sign-in (``routes_oauth.py``), or from the control API's ``issue_user_token``.
"""

from __future__ import annotations

from .http import Response, not_found
from .model import Account, Installation, Json, Repository
from .routing import Call, Route, counted
from .state import UnknownThing


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
        return {**call.shapes.repository(one), **call.shapes.role(call.world.role(user, one))}

    return counted(call, "repositories", found, with_permissions, repository_selection=installation.selection)


ROUTES = (
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
