"""Who calls, by cookie or bearer token, and whether a write comes from our own pages."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.datastructures import Cookie

from centralbot.domain.errors import Forbidden, Unauthenticated
from centralbot.entrypoints.web.gate_limit import Guesses, client_of
from centralbot.ports.driven.clock import Clock
from centralbot.ports.driven.people import SignInRefused
from centralbot.ports.driving.accounts import SIGN_IN_S, Accounts, Begun, Caller, SignedIn

AnyRequest = Request[Any, Any, Any]
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BEARER = 2_000
MAX_SIGN_INS = 10
"""Under way in one browser."""
MAX_REFUSED = 100
"""A minute and client."""
REFUSED = "too many sign-ins and tokens that GitHub refuses came from your network; wait a minute and try again"


class Guard:
    """Cookies are ``__Host-`` ones where the public URL is https: bound to this host, sent over TLS alone.

    ``refused`` limits who brings what GitHub refuses: after a few such requests GitHub refuses the good ones of the
    same sender too (https://docs.github.com/rest/authentication/authenticating-to-the-rest-api, "Failed login limit").
    """

    def __init__(self, accounts: Accounts, clock: Clock, *, public_url: str) -> None:
        self.accounts = accounts
        self.refused = Guesses(clock.monotonic_s, allowed=MAX_REFUSED, message=REFUSED)
        parts = urlsplit(public_url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.secure = parts.scheme == "https"
        self._prefix = "__Host-" if self.secure else ""
        self.session_cookie = f"{self._prefix}centralbot_session"
        self._sign_in = f"{self._prefix}centralbot_sign_in_"

    async def find(self, request: AnyRequest) -> Caller | None:
        """Who calls, None for nobody. Raises Unauthenticated for a bad bearer token, RateLimited for many of them,
        and Forbidden as ``same_origin``.
        """
        header = request.headers.get("authorization")
        scheme, _, token = (header or "").partition(" ")
        # Another scheme is somebody else's: a proxy in front may ask for a password of its own.
        if scheme.lower() == "bearer":
            if not token.strip() or len(token) > MAX_BEARER or not token.isascii():
                raise Unauthenticated("send 'Authorization: Bearer <GitHub user token>'")
            return await self._of_bearer(request, token.strip())
        cookie = request.cookies.get(self.session_cookie)
        if cookie is None:
            return None
        self.same_origin(request)
        return await self.accounts.of_cookie(cookie)

    async def _of_bearer(self, request: AnyRequest, token: str) -> Caller:
        client = client_of(request)
        self.refused.check(client)
        try:
            return await self.accounts.of_bearer(token)
        except SignInRefused:
            self.refused.missed(client)
            raise

    async def require(self, request: AnyRequest) -> Caller:
        """Who calls. Raises Unauthenticated."""
        caller = await self.find(request)
        if caller is None:
            raise Unauthenticated("sign in, or send 'Authorization: Bearer <GitHub user token>'")
        return caller

    def same_origin(self, request: AnyRequest) -> None:
        """Raises Forbidden for a write that another site's page makes the browser send.

        Browsers say where a request comes from in headers that pages cannot forge; a client that sends neither is no
        browser and has no cookie that was not given to it on purpose.
        https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
        """
        if request.method in SAFE_METHODS:
            return
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site is not None and site not in ("same-origin", "none"):
            raise Forbidden("this request comes from another site's page; open centralbot's own page and try again")
        if origin is not None and origin.lower() not in (self.origin.lower(), self._own(request)):
            raise Forbidden(f"this request comes from another origin than {self.origin}, where centralbot is")

    def _own(self, request: AnyRequest) -> str:
        """The origin that the browser itself thinks it talks to: as good as the public one, if it is not https."""
        return "" if self.secure else f"http://{request.headers.get('host', '')}".lower()

    def begun_cookies(self, request: AnyRequest, begun: Begun) -> list[Cookie]:
        """Keeps a sign-in under way in this browser; several tabs have one each.

        Of more than a few none but the new one is kept: another site could have the browser begin so many that all its
        requests to us would be too long.
        """
        others = [name for name in request.cookies if name.startswith(self._sign_in)]
        crowd = others if len(others) >= MAX_SIGN_INS else []
        return [
            self._cookie(self.sign_in_name(begun.state), begun.sealed, SIGN_IN_S), *(self.gone(name) for name in crowd)
        ]  # fmt: skip

    def sign_in_name(self, state: str) -> str:
        """The cookie of the sign-in with that ``state``, which may be anything that came in a URL."""
        return f"{self._sign_in}{hashlib.sha256(state.encode('utf-8', 'replace')).hexdigest()[:16]}"

    def signed_in_cookie(self, signed_in: SignedIn) -> Cookie:
        return self._cookie(self.session_cookie, signed_in.cookie, signed_in.max_age_s)

    def gone(self, name: str) -> Cookie:
        """Removes a cookie of ours."""
        return self._cookie(name, "", 0)

    def _cookie(self, name: str, value: str, max_age_s: int) -> Cookie:
        return Cookie(
            key=name, value=value, max_age=max_age_s, path="/", secure=self.secure, httponly=True, samesite="lax"
        )
