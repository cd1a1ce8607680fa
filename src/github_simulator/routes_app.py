"""REST routes for Apps and their installations."""

from __future__ import annotations

from typing import Any

from github_simulator.credentials import TOKEN_LIFETIME_S
from github_simulator.deliveries import Delivery
from github_simulator.http import ApiError, Response, invalid, not_found
from github_simulator.model import Installation, Json, Repository
from github_simulator.routing import Call, Route, counted, listed
from github_simulator.schemas import timestamp
from github_simulator.state import UnknownThing

MAX_TOKEN_REPOSITORIES = 500


def _installation(call: Call) -> Installation:
    try:
        return call.world.installation(call.number("installation_id"))
    except UnknownThing:
        raise not_found() from None


def get_app(call: Call) -> Response:
    body = call.shapes.app() | {"installations_count": len(call.world.installations)}
    return Response(200, body)


def list_installations(call: Call) -> Response:
    found = sorted(call.world.installations.values(), key=lambda installation: installation.id)
    return listed(call, found, lambda installation: _list_item(call, installation))


def _list_item(call: Call, installation: Installation) -> Json:
    """GitHub describes an account in this list as a user and an enterprise at once, so it has the fields of both."""
    item, account = call.shapes.installation(installation), installation.account
    times = {"created_at": timestamp(account.created_at), "updated_at": timestamp(account.created_at)}
    return item | {"account": {**item["account"], "name": account.login, "slug": account.login.lower(), **times}}


def get_installation(call: Call) -> Response:
    return Response(200, call.shapes.installation(_installation(call)))


def get_repository_installation(call: Call) -> Response:
    installation = call.world.installation_of(call.repo)
    if installation is None:
        raise not_found()
    return Response(200, call.shapes.installation(installation))


def create_token(call: Call) -> Response:
    """Mint a token, for all of the installation or less."""
    installation, body = _installation(call), call.request.object()
    if installation.suspended_at is not None:
        raise ApiError(403, "This installation has been suspended")
    repositories = _token_repositories(call, installation, body)
    permissions = _token_permissions(installation, body)
    ids = None if repositories is None else frozenset(repository.id for repository in repositories)
    credentials = call.services.credentials
    answer: Json = {
        "token": credentials.mint(installation, permissions, ids),
        "expires_at": timestamp(credentials.clock() + TOKEN_LIFETIME_S),
        "permissions": permissions,
        "repository_selection": installation.selection if repositories is None else "selected",
    }
    if repositories is not None:
        answer["repositories"] = [call.shapes.repository(repository) for repository in repositories]
    return Response(201, answer)


def _token_repositories(call: Call, installation: Installation, body: Json) -> list[Repository] | None:
    ids, names = body.get("repository_ids"), body.get("repositories")
    if not ids and not names:
        return None
    if not isinstance(ids or [], list) or not isinstance(names or [], list):
        raise invalid("repositories must be arrays", "InstallationToken", "repository_ids")
    if len(ids or []) + len(names or []) > MAX_TOKEN_REPOSITORIES:
        raise invalid("at most 500 repositories", "InstallationToken", "repository_ids")
    reached = call.world.repositories_of(installation)
    chosen = [one for one in reached if one.id in (ids or []) or one.name in (names or [])]
    if len(chosen) < len({*(ids or [])}) + len({*(names or [])}):
        raise ApiError(
            422, "There is at least one repository that does not exist or is not accessible to the parent installation."
        )
    return chosen


def _token_permissions(installation: Installation, body: Json) -> dict[str, str]:
    asked: Any = body.get("permissions")
    if not asked:
        return dict(installation.permissions)
    levels = {"read": 1, "write": 2, "admin": 3}
    held = installation.permissions
    if not isinstance(asked, dict) or any(
        levels.get(str(level), 9) > levels.get(held.get(name, ""), 0) for name, level in asked.items()
    ):
        raise ApiError(422, "The permissions requested are not granted to this installation.")
    return {name: str(level) for name, level in asked.items()}


def list_installation_repositories(call: Call) -> Response:
    installation = call.installation()
    found = [one for one in call.world.repositories_of(installation) if call.caller.may_reach(one, call.world)]
    return counted(call, "repositories", found, call.shapes.repository, repository_selection=installation.selection)


def get_rate_limit(call: Call) -> Response:
    return Response(200, call.services.limits.bucket(call.caller.rate_key).overview())


def get_hook_config(call: Call) -> Response:
    """The ``webhook-config`` schema; the secret is never shown, and an App without a webhook has no address."""
    url = call.services.deliverer.url
    body = {"content_type": "json", "insecure_ssl": "0", "secret": "********"}
    return Response(200, body if url is None else {**body, "url": url})


def list_deliveries(call: Call) -> Response:
    """Newest first; the cursor is opaque and stands in the ``Link`` header."""
    query = call.request.query
    per_page = min(int(query["per_page"]) if query.get("per_page", "").isdecimal() else 30, 100) or 30
    cursor = query.get("cursor", "")
    if cursor and not cursor.removeprefix("v1_").isdecimal():
        raise ApiError(400, "The cursor is invalid")
    before = int(cursor.removeprefix("v1_")) if cursor else None
    found: list[Delivery] = []
    more = False
    for delivery in call.services.deliverer.log.newest_first(before=before, status=query.get("status")):
        if len(found) == per_page:
            more = True
            break
        found.append(delivery)
    headers = {}
    if more:
        status = f"&status={query['status']}" if query.get("status") in ("success", "failure") else ""
        address = f"{call.request.base}{call.request.path}?per_page={per_page}{status}&cursor=v1_{found[-1].id}"
        headers["link"] = f'<{address}>; rel="next"'
    return Response(200, [delivery.item() for delivery in found], headers)


def get_delivery(call: Call) -> Response:
    deliverer = call.services.deliverer
    delivery = deliverer.log.records.get(call.number("delivery_id"))
    if delivery is None:
        raise not_found()
    return Response(200, delivery.detail(deliverer.url or ""))


def redeliver(call: Call) -> Response:
    try:
        kept = call.services.deliverer.redeliver(call.number("delivery_id"))
    except KeyError:
        raise not_found() from None
    if not kept:
        raise ApiError(422, "The payload of this delivery is no longer kept", errors=[])
    return Response(202, {})


_ROUTES = (
    Route(operation="apps/get-authenticated", method="GET", path="/app", callers=("app",), handler=get_app),
    Route(
        operation="apps/list-installations",
        method="GET",
        path="/app/installations",
        callers=("app",),
        handler=list_installations,
    ),
    Route(
        operation="apps/get-installation",
        method="GET",
        path="/app/installations/{installation_id}",
        callers=("app",),
        handler=get_installation,
    ),
    Route(
        operation="apps/create-installation-access-token",
        method="POST",
        path="/app/installations/{installation_id}/access_tokens",
        callers=("app",),
        handler=create_token,
    ),
    Route(
        operation="apps/get-repo-installation",
        method="GET",
        path="/repos/{owner}/{repo}/installation",
        callers=("app",),
        handler=get_repository_installation,
    ),
    Route(
        operation="apps/get-webhook-config-for-app",
        method="GET",
        path="/app/hook/config",
        callers=("app",),
        handler=get_hook_config,
    ),
    Route(
        operation="apps/list-webhook-deliveries",
        method="GET",
        path="/app/hook/deliveries",
        callers=("app",),
        handler=list_deliveries,
    ),
    Route(
        operation="apps/get-webhook-delivery",
        method="GET",
        path="/app/hook/deliveries/{delivery_id}",
        callers=("app",),
        handler=get_delivery,
    ),
    Route(
        operation="apps/redeliver-webhook-delivery",
        method="POST",
        path="/app/hook/deliveries/{delivery_id}/attempts",
        callers=("app",),
        handler=redeliver,
    ),
    Route(
        operation="apps/list-repos-accessible-to-installation",
        method="GET",
        path="/installation/repositories",
        callers=("installation",),
        permissions=({"metadata": "read"},),
        handler=list_installation_repositories,
    ),
    Route(
        operation="rate-limit/get",
        method="GET",
        path="/rate_limit",
        callers=("app", "installation", "user", "anonymous"),
        handler=get_rate_limit,
        limited=False,
    ),
)


def convert(call: Call) -> Response:
    """201 once; no authentication but the code."""
    made = call.services.registrations.convert(call.params["code"])
    if made is None:
        raise not_found()
    call.shapes.app_info = made.app
    return Response(
        201,
        {
            **call.shapes.app(),
            "client_secret": made.client_secret,
            "webhook_secret": made.webhook_secret,
            "pem": made.private_key_pem,
        },
    )


MANIFEST_ROUTES = (
    Route(
        operation="apps/create-from-manifest",
        method="POST",
        path="/app-manifests/{code}/conversions",
        callers=("app", "installation", "user", "anonymous"),
        handler=convert,
        limited=False,
    ),
)

ROUTES = (*_ROUTES, *MANIFEST_ROUTES)
