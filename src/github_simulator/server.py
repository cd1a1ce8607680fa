"""The simulated GitHub and the server that runs it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from github_simulator.api import Api
from github_simulator.control import Control, snapshot
from github_simulator.credentials import Credentials, UserTokens, generate_private_key
from github_simulator.deliveries import Deliverer
from github_simulator.faults import Faults, RateLimits
from github_simulator.http import ApiError, Receive, RequestLog, Response, Scope, Send, read_request
from github_simulator.model import Account, AppInfo, Json
from github_simulator.pages import Pages
from github_simulator.pulls import World
from github_simulator.registrations import Registrations
from github_simulator.routing import Services
from github_simulator.schemas import Shapes

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


SHUTDOWN_S = 1


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP, with a way to cut the connection under the application: no ASGI message does that."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"centralbot.abort": self.transport.abort}  # type: ignore[dict-item]


class _Server(uvicorn.Server):
    """A server that leaves the signals to whoever runs the loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, because asyncio turns Nagle's algorithm off only where it sees TCP here: 40 ms a request otherwise.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)
    listener.setblocking(False)
    return listener


@contextlib.asynccontextmanager
async def running(simulator: Simulator, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve and deliver for as long as the block runs. Gives the base address; port 0 takes a free one."""
    listener = _bind(host, port)
    shown = f"[{host}]" if ":" in host else host
    simulator.base_url = f"http://{shown}:{listener.getsockname()[1]}"
    simulator.api.closing = asyncio.Event()
    config = uvicorn.Config(
        simulator.asgi,
        http=_Protocol,
        interface="asgi3",
        proxy_headers=False,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        # uvicorn tells by a flag alone that it has started.
        while not server.started and not serving.done():  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        async with simulator.deliverer.sending():
            yield simulator.base_url
    finally:
        simulator.api.closing.set()
        server.should_exit = True
        await serving
        listener.close()


def run(
    simulator: Simulator, host: str = "127.0.0.1", port: int = 0, ready: Callable[[str], None] | None = None
) -> None:
    """Serve in this process until SIGINT or SIGTERM; ``ready`` gets the base address once requests are taken."""
    asyncio.run(_until_signal(simulator, host, port, ready))


async def _until_signal(simulator: Simulator, host: str, port: int, ready: Callable[[str], None] | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopped.set)
        except NotImplementedError:  # Windows: its event loop takes no signal handlers
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
    async with running(simulator, host, port) as base_url:
        if ready is not None:
            ready(base_url)
        await stopped.wait()
