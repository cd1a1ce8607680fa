"""The simulator as a whole: world, API, webhooks, pages and control behind one ASGI application."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Mapping

from .api import Api
from .control import Control
from .credentials import Credentials, generate_private_key
from .delivery import Deliverer
from .faults import Faults
from .http import ApiError, Receive, Response, Scope, Send, read_request
from .limits import RateLimits
from .model import Account, AppInfo, Json
from .page import Pages
from .pulls import World
from .registrations import Registrations
from .requests import RequestLog
from .routing import Services
from .shapes import Shapes
from .snapshot import snapshot
from .user_tokens import UserTokens

DEFAULT_PERMISSIONS = {"metadata": "read", "pull_requests": "write"}
DEFAULT_EVENTS = ("pull_request", "repository")
DEFAULT_CALLBACK_URLS = tuple(
    f"http://{host}/api/v1/auth/github/callback" for host in ("127.0.0.1", "localhost", "[::1]")
)
"""On loopback, where any port will do."""


class Simulator:
    """A GitHub with one App. Change it through :attr:`world`, :attr:`faults`, :attr:`limits` and :attr:`deliverer`."""

    def __init__(
        self,
        *,
        webhook_secret: str,
        webhook_url: str | None = None,
        app_id: int = 1_200_001,
        client_id: str = "Iv23liSimulatorClient",
        client_secret: str | None = None,
        callback_urls: tuple[str, ...] = DEFAULT_CALLBACK_URLS,
        slug: str = "centralbot",
        private_key_pem: str | None = None,
        permissions: Mapping[str, str] = DEFAULT_PERMISSIONS,
        events: tuple[str, ...] = DEFAULT_EVENTS,
        primary_limit: int = 5000,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``primary_limit``: requests an hour for each caller. ``chance``: numbers in [0, 1), for faults."""
        now = clock()
        bot = Account(id=200_000_001, login=f"{slug}[bot]", type="Bot", created_at=now)
        owner = Account(id=60_000_001, login=f"{slug}-org", type="Organization", created_at=now)
        app = AppInfo(
            id=app_id,
            client_id=client_id,
            slug=slug,
            owner=owner,
            bot=bot,
            permissions=dict(permissions),
            events=events,
            created_at=now,
            name=slug,
            callback_urls=callback_urls,
        )
        self.deliverer = Deliverer(url=webhook_url, secret=webhook_secret, app_id=app_id, clock=clock)
        self.world = World(shapes=Shapes(app, "http://localhost"), clock=clock, send=self.deliverer.enqueue)
        self.limits = RateLimits(clock=clock, primary=primary_limit)
        self.users = UserTokens(world=self.world, clock=clock, client_secret=client_secret or secrets.token_hex(20))
        self.credentials = Credentials(
            private_key_pem=private_key_pem or generate_private_key(), world=self.world, users=self.users, clock=clock
        )
        self.services = Services(
            world=self.world,
            credentials=self.credentials,
            limits=self.limits,
            deliverer=self.deliverer,
            registrations=Registrations(credentials=self.credentials, deliverer=self.deliverer, clock=clock),
        )
        self.faults = Faults(chance=chance)
        self.requests = RequestLog()
        self.api = Api(services=self.services, faults=self.faults, log=self.requests)
        self._control = Control(services=self.services, faults=self.faults, log=self.requests)
        self._pages = Pages(self.services)

    @property
    def app_id(self) -> int:
        return self.world.shapes.app_info.id

    @property
    def client_id(self) -> str:
        return self.world.shapes.app_info.client_id

    @property
    def client_secret(self) -> str:
        return self.users.client_secret

    @property
    def private_key_pem(self) -> str:
        return self.credentials.private_key_pem

    @property
    def bot_user_id(self) -> int:
        return self.world.shapes.app_info.bot.id

    @property
    def bot_login(self) -> str:
        return self.world.shapes.app_info.bot.login

    @property
    def base_url(self) -> str:
        """Where the API and the pages are; webhooks carry addresses under it."""
        return self.world.shapes.base

    @base_url.setter
    def base_url(self, base: str) -> None:
        self.world.shapes.base = base

    def snapshot(self) -> Json:
        """Everything that this GitHub shows now; see :mod:`.snapshot`."""
        return snapshot(self.services, self.requests)

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            raise RuntimeError(f"the simulator speaks http only, not {scope['type']}")
        try:
            request = await read_request(scope, receive)
        except ApiError as exc:
            await exc.response().send(send)
            return
        match = self.api.router.match(request.method, request.segments)
        if match is not None:
            abort = scope.get("extensions", {}).get("centralbot.abort", _no_transport)
            await self.api.answer(match, request, receive, send, abort)
            return
        response: Response | None = None
        try:
            if request.segments[0] == "_simulator":
                response = self._control.answer(request)
            else:
                response = self._pages.answer(request)
        except ApiError as exc:
            response = exc.response()
        await (response or ApiError(404, "Not Found").response()).send(send)


def _no_transport() -> None:
    """Without our server there is no connection to cut: the application just ends without an answer."""
