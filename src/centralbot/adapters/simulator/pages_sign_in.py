"""What a person sees of the sign-in: "Authorize the App", here with a choice of who one is.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from .http import Request, Response
from .model import GHOST_ID, Account
from .redirects import is_registered, origin, with_query
from .rendering import Templates, redirect
from .routing import Services

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
