"""Pages: pull requests, registering and installing Apps, signing in."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode

from github_simulator.http import Request, Response
from github_simulator.model import GHOST_ID, Account, PullRequest, Repository
from github_simulator.registrations import ManifestRefused, is_registered, origin, read_manifest, with_query
from github_simulator.rendering import Templates, headers, redirect
from github_simulator.routing import Services
from github_simulator.state import UnknownThing

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


COOKIE = "github_simulator_session"
SHOWN_USERS = 200
_KEPT = ("client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method", "login", "allow_signup")


class SignInPages:
    """``/login/oauth/authorize``."""

    def __init__(self, services: Services, templates: Templates) -> None:
        self._services = services
        self._templates = templates

    def answer(self, request: Request) -> Response | None:
        """The page for a GET, the way back for a POST; None where this is somebody else's address."""
        if request.segments != ["login", "oauth", "authorize"] or request.method not in ("GET", "POST"):
            return None
        refused = self._refused(request.query)
        if refused is not None:
            return refused
        if request.method == "POST":
            return self._decided(request)
        return self._straight_back(request) or self._page(request.query)

    @property
    def _callbacks(self) -> tuple[str, ...]:
        return self._services.world.shapes.app_info.callback_urls

    def _back(self, query: dict[str, str]) -> str:
        return query.get("redirect_uri") or self._callbacks[0]

    def _refused(self, query: dict[str, str]) -> Response | None:
        """A wrong client or address is told to the person: sending them back would help an attacker."""
        app = self._services.world.shapes.app_info
        if query.get("client_id") != app.client_id:
            return self._templates.problem("Not found", "There is no GitHub App with this client id.", status=404)
        given = query.get("redirect_uri", "")
        if not self._callbacks or (given and not is_registered(given, self._callbacks)):
            text = "The redirect_uri is not associated with this application."
            more = "The application might be misconfigured or could be trying to redirect you to a website you weren't "
            return self._templates.problem("Be careful!", f"{text} {more}expecting.")
        if query.get("code_challenge") and query.get("code_challenge_method") != "S256":
            return self._templates.problem("Bad request", "code_challenge_method must be S256.")
        return None

    def _straight_back(self, request: Request) -> Response | None:
        """Who is signed in and has let the App in before is not asked again."""
        users, query = self._services.credentials.users, request.query
        account = self.signed_in(request)
        if account is None or account.id not in users.authorized or query.get("prompt") == "select_account":
            return None
        if query.get("login", account.login).lower() != account.login.lower():
            return None
        return redirect(self._with_code(query, account))

    def _page(self, query: dict[str, str]) -> Response:
        people = [
            one
            for one in self._services.world.accounts.values()
            if one.type == "User" and one.id != GHOST_ID and one.id in self._services.world.accounts
        ]
        suggested = query.get("login", "").lower()
        people.sort(key=lambda one: (one.login.lower() != suggested, one.login.lower()))
        action = f"/login/oauth/authorize?{urlencode({name: query[name] for name in _KEPT if name in query})}"
        return self._templates.page(
            "authorize.html",
            form_action=f"'self' {origin(self._back(query))}".strip(),
            app=self._services.world.shapes.app_info,
            people=people[:SHOWN_USERS],
            action=action,
            back=origin(self._back(query)),
        )

    def _decided(self, request: Request) -> Response:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        query = request.query
        if "cancel" in form:
            return redirect(
                with_query(
                    self._back(query),
                    error="access_denied",
                    error_description="The user has denied your application access.",
                    error_uri="https://docs.github.com/apps/managing-oauth-apps/troubleshooting-authorization-request-"
                    "errors/#access-denied",
                    state=query.get("state"),
                )
            )
        account = self._services.world.logins.get(form.get("login", "").lower())
        if account is None or account.type != "User":
            return self._templates.problem("Unknown user", "Nobody of that login can sign in here.")
        session = secrets.token_urlsafe(24)
        self._services.credentials.users.browsers[session] = account
        cookie = f"{COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax"
        return redirect(self._with_code(query, account), cookie)

    def _with_code(self, query: dict[str, str], account: Account) -> str:
        back = self._back(query)
        code = self._services.credentials.users.authorize(
            account, redirect_uri=back, challenge=query.get("code_challenge") or None
        )
        return with_query(back, code=code, state=query.get("state"))

    def signed_in(self, request: Request) -> Account | None:
        """Who this browser chose to be, as long as they exist."""
        try:
            cookies = SimpleCookie(request.headers.get("cookie", ""))
        except CookieError:
            return None
        value = cookies[COOKIE].value if COOKIE in cookies else ""
        account = self._services.credentials.users.browsers.get(value)
        return account if account is not None and account.id in self._services.world.accounts else None


SHOWN_PULLS = 200


class Pages:
    """Everything for people's browsers, from the templates beside this module."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._templates = Templates()
        self._sign_in = SignInPages(services, self._templates)
        self._apps = AppPages(services, self._templates, self._sign_in.signed_in)

    def answer(self, request: Request) -> Response | None:
        """The answer to a person's browser; None where there is nothing at that address."""
        found = self._sign_in.answer(request) or self._apps.answer(request)
        if found is None and request.method == "GET":
            found = self._shown(request.segments)
        return found

    def _shown(self, segments: list[str]) -> Response | None:
        """The page at ``/``, ``/{owner}/{repo}`` or ``/{owner}/{repo}/pull/{n}``; None where there is none."""
        match segments:
            case [""]:
                return self._home()
            case ["simulator.css"]:
                return Response(200, self._templates.style, {**headers(), "content-type": "text/css; charset=utf-8"})
            case [owner, repo]:
                found = self._repository(owner, repo)
                return None if found is None else self._home(found)
            case [owner, repo, "pull", number] if number.isdecimal():
                found = self._repository(owner, repo)
                pull = None if found is None else found.pulls.get(int(number))
                return None if pull is None else self._templates.page("pull.html", pull=pull)
            case _:
                return None

    def _repository(self, owner: str, repo: str) -> Repository | None:
        try:
            return self._services.world.repository(f"{owner}/{repo}")
        except UnknownThing:
            return None

    def _home(self, only: Repository | None = None) -> Response:
        world = self._services.world
        repositories = [only] if only is not None else list(world.repositories.values())
        pulls: list[PullRequest] = [pull for repository in repositories for pull in repository.pulls.values()]
        pulls.sort(key=lambda pull: pull.id, reverse=True)
        return self._templates.page(
            "home.html",
            title=world.shapes.app_info.slug if only is None else only.full_name,
            installations=[(one, world.repositories_of(one)) for one in world.installations.values()],
            pulls=pulls[:SHOWN_PULLS],
            hidden=max(0, len(pulls) - SHOWN_PULLS),
            deliveries=[
                delivery for _, delivery in zip(range(15), self._services.deliverer.log.newest_first(), strict=False)
            ],
        )
