"""Who calls, where their request comes from, and how often they may try: the same for the API and the pages."""

from __future__ import annotations

import hashlib
import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.handlers import BaseRouteHandler

from centralbot.domain.errors import Forbidden, RateLimited, Unauthenticated
from centralbot.ports.clock import Clock
from centralbot.ports.people import SignInRefused
from centralbot.ports.use_cases.accounts import SIGN_IN_S, Accounts, Begun, Caller, SignedIn

Connection = ASGIConnection[Any, Any, Any, Any]
CallersRequest = Request[Caller, Any, Any]
"""A request that ``Guard.require_caller`` let through: ``user`` is who calls."""
AnyonesRequest = Request[Caller | None, Any, Any]
"""A request that ``Guard.find_caller`` let through: ``user`` is who calls, None for nobody."""

ALLOWED = 30
WINDOW_S = 60.0
MAX_ADDRESSES = 10_000
MAX_HOST_CHARS = 64
UNKNOWN_LINKS = "too many unknown links from your network; wait a minute and open the link in the comment again"


class _OfTheProcess:
    """Stays one where Litestar copies the routes that it stands in."""

    def __deepcopy__(self, _: object) -> Self:
        return self


class RateLimiter(_OfTheProcess):
    """Counts misses (unknown links, refused tokens) per client, who waits after ``allowed`` within ``window_s``.

    The limit guards no secret (a link has 128 bits): it keeps a flood of guesses from the store and from GitHub. So it
    may forget the address that it heard of longest ago when there are more than ``max_addresses``. One process each.
    """

    def __init__(
        self,
        monotonic_s: Callable[[], float],
        *,
        allowed: int = ALLOWED,
        window_s: float = WINDOW_S,
        max_addresses: int = MAX_ADDRESSES,
        message: str = UNKNOWN_LINKS,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._allowed = allowed
        self._window_s = window_s
        self._max_addresses = max_addresses
        self._message = message
        self._missed: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises RateLimited for an address that has missed too often."""
        began, count = self._missed.get(address, (0.0, 0))
        left_s = began + self._window_s - self._monotonic_s()
        if count >= self._allowed and left_s > 0:
            raise RateLimited(self._message, retry_after_s=int(left_s) + 1)

    def missed(self, address: str) -> None:
        """That address asked for a link that does not exist, or brought what GitHub refuses."""
        now_s = self._monotonic_s()
        began, count = self._missed.pop(address, (now_s, 0))
        if began + self._window_s <= now_s:
            began, count = now_s, 0
        self._missed[address] = (began, count + 1)
        if len(self._missed) > self._max_addresses:
            self._missed.popitem(last=False)

    async def check_caller(self, connection: Connection, _: BaseRouteHandler) -> None:
        """For ``guards=`` of a route: raises RateLimited before anything else is done for the caller."""
        self.check(client_of(connection))

    @contextmanager
    def counting(self, connection: Connection, error: type[Exception]) -> Iterator[None]:
        """A block in which ``error`` counts as a miss of the caller's."""
        try:
            yield
        except error:
            self.missed(client_of(connection))
            raise

    def __len__(self) -> int:
        return len(self._missed)


def client_of(connection: Connection) -> str:
    """Whom to count: the client's IPv4 address, or its IPv6 network of 64 bits, which is one household's."""
    host = connection.client.host if connection.client is not None else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:MAX_HOST_CHARS]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BEARER = 2_000
MAX_SIGN_INS = 10
"""Under way in one browser."""
MAX_REFUSED = 100
"""A minute and client."""
REFUSED = "too many sign-ins and tokens that GitHub refuses came from your network; wait a minute and try again"


class Guard(_OfTheProcess):
    """Cookies are ``__Host-`` ones where the public URL is https: bound to this host, sent over TLS alone.

    ``refused`` limits who brings what GitHub refuses: after a few such requests GitHub refuses the good ones of the
    same sender too (https://docs.github.com/rest/authentication/authenticating-to-the-rest-api, "Failed login limit").
    """

    def __init__(self, accounts: Accounts, clock: Clock, *, public_url: str) -> None:
        self.accounts = accounts
        self.refused = RateLimiter(clock.monotonic_s, allowed=MAX_REFUSED, message=REFUSED)
        parts = urlsplit(public_url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.secure = parts.scheme == "https"
        self._prefix = "__Host-" if self.secure else ""
        self.session_cookie = f"{self._prefix}centralbot_session"
        self._sign_in = f"{self._prefix}centralbot_sign_in_"

    async def find_caller(self, connection: Connection, _: BaseRouteHandler) -> None:
        """For ``guards=`` of a route: ``request.user`` is who calls, None for nobody.

        Raises Unauthenticated for a bad bearer token, RateLimited for many of them, and Forbidden as ``same_origin``.
        """
        connection.scope["user"] = None
        connection.scope["user"] = await self._find(connection)

    async def require_caller(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """The same; raises Unauthenticated for nobody too. What a path can do (OPTIONS) may be asked by anybody."""
        await self.find_caller(connection, handler)
        if connection.scope["user"] is None and _method(connection) != "OPTIONS":
            raise Unauthenticated("sign in, or send 'Authorization: Bearer <GitHub user token>'")

    async def _find(self, connection: Connection) -> Caller | None:
        header = connection.headers.get("authorization")
        scheme, _, token = (header or "").partition(" ")
        # Another scheme is somebody else's: a proxy in front may ask for a password of its own.
        if scheme.lower() == "bearer":
            if not token.strip() or len(token) > MAX_BEARER or not token.isascii():
                raise Unauthenticated("send 'Authorization: Bearer <GitHub user token>'")
            self.refused.check(client_of(connection))
            with self.refused.counting(connection, SignInRefused):
                return await self.accounts.of_bearer(token.strip())
        cookie = connection.cookies.get(self.session_cookie)
        if cookie is None:
            return None
        self.same_origin(connection)
        return await self.accounts.of_cookie(cookie)

    def same_origin(self, connection: Connection) -> None:
        """Raises Forbidden for a write that another site's page makes the browser send.

        Browsers say where a request comes from in headers that pages cannot forge; a client that sends neither is no
        browser and has no cookie that was not given to it on purpose.
        https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
        """
        if _method(connection) in SAFE_METHODS:
            return
        site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
        if site is not None and site not in ("same-origin", "none"):
            raise Forbidden("this request comes from another site's page; open centralbot's own page and try again")
        if origin is not None and origin.lower() not in (self.origin.lower(), self._own(connection)):
            raise Forbidden(f"this request comes from another origin than {self.origin}, where centralbot is")

    def _own(self, connection: Connection) -> str:
        """The origin that the browser itself thinks it talks to: as good as the public one, if it is not https."""
        return "" if self.secure else f"http://{connection.headers.get('host', '')}".lower()

    def begun_cookies(self, connection: Connection, begun: Begun) -> list[Cookie]:
        """Keeps a sign-in under way in this browser; several tabs have one each.

        Of more than a few none but the new one is kept: another site could have the browser begin so many that all its
        requests to us would be too long.
        """
        others = [name for name in connection.cookies if name.startswith(self._sign_in)]
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


def _method(connection: Connection) -> str:
    return str(connection.scope.get("method", ""))
