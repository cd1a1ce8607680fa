"""The pages on which a person registers an App from a manifest, and installs it.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest and
https://docs.github.com/en/apps/using-github-apps/installing-a-github-app-from-a-third-party
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, quote, urlencode

from .http import Request, Response
from .model import GHOST_ID, Account
from .redirects import origin, with_query
from .registrations import ManifestRefused, read_manifest
from .rendering import Templates, redirect
from .routing import Services

SHOWN_ACCOUNTS = 200


class AppPages:
    """``/settings/apps/new``, ``/organizations/{org}/settings/apps/new``, ``/apps/{slug}``."""

    def __init__(
        self, services: Services, templates: Templates, signed_in: Callable[[Request], Account | None]
    ) -> None:
        self._services = services
        self._templates = templates
        self._signed_in = signed_in

    def answer(self, request: Request) -> Response | None:
        """None where this is somebody else's address."""
        match request.method, request.segments:
            case "POST", ["settings", "apps", "new"]:
                owner = self._signed_in(request) or self._services.world.shapes.app_info.owner
                return self._register(request, owner, "/settings/apps/new")
            case "POST", ["organizations", login, "settings", "apps", "new"]:
                account = self._services.world.logins.get(login.lower())
                if account is None or account.type != "Organization":
                    return self._templates.problem("Not found", "There is no such organization.", status=404)
                return self._register(request, account, f"/organizations/{quote(login, safe='')}/settings/apps/new")
            case _, ["apps", slug, *rest] if slug == self._services.world.shapes.app_info.slug:
                return self._app(request, rest)
            case _:
                return None

    def _register(self, request: Request, owner: Account, path: str) -> Response:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        try:
            manifest = read_manifest(form.get("manifest", ""))
            if "create" in form:
                code = self._services.registrations.confirm(manifest, name=form.get("name", ""), owner=owner)
                return redirect(with_query(manifest.redirect_url, code=code, state=request.query.get("state")))
        except ManifestRefused as refused:
            return self._templates.problem("Invalid GitHub App configuration", str(refused), status=422)
        return self._templates.page(
            "register.html",
            form_action=f"'self' {origin(manifest.redirect_url)}".strip(),
            owner=owner,
            manifest=manifest,
            text=form["manifest"],
            action=f"{path}?{urlencode(request.query)}",
        )

    def _app(self, request: Request, rest: list[str]) -> Response | None:
        app, world = self._services.world.shapes.app_info, self._services.world
        if request.method == "GET" and not rest:
            return redirect(f"/apps/{app.slug}/installations/new")
        if rest != ["installations", "new"]:
            return None
        if request.method == "POST":
            return self._install(request)
        hidden = {GHOST_ID, app.owner.id} if app.owner.login == f"{app.slug}-org" else {GHOST_ID}
        accounts = [one for one in world.accounts.values() if one.type != "Bot" and one.id not in hidden]
        accounts.sort(key=lambda one: (one.type != "Organization", one.login.lower()))
        return self._templates.page(
            "install.html",
            form_action=f"'self' {origin(app.setup_url or '')}".strip(),
            app=app,
            accounts=[(one, one.id in world.installed_on) for one in accounts[:SHOWN_ACCOUNTS]],
        )

    def _install(self, request: Request) -> Response:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        world = self._services.world
        account = world.logins.get(form.get("account", "").lower())
        if account is None or account.type == "Bot":
            return self._templates.problem("Not found", "There is no such account.", status=404)
        known = world.installed_on.get(account.id)
        number = known.id if known is not None else world.install(account.login, selection="all")
        setup_url = world.shapes.app_info.setup_url
        if setup_url is None:
            return redirect("/")
        return redirect(with_query(setup_url, installation_id=str(number), setup_action="install"))
