"""The demo's and the simulator's composition roots."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from centralbot.adapters.embedded_postgres.places import remembered_home
from centralbot.domain.signing import signing_key
from centralbot.entrypoints.demo.fleet import DemoError, Fleet
from centralbot.entrypoints.demo.story import MAINTAINER, OPEN_TO_TRY, Ending, Story, View, endings
from centralbot.entrypoints.demo.visitor import gate_link
from centralbot.entrypoints.roots.backend import Backend, open_backend
from centralbot.entrypoints.settings import (
    GateSettings,
    OutboxSettings,
    SettingsError,
    StoreSettings,
    load_github_app_settings,
    load_oauth_settings,
    load_webhook_target,
)
from centralbot.entrypoints.setup import EVENTS, PERMISSIONS
from centralbot.ports.admin import Health, Repositories, Whitelist
from centralbot.ports.challenges import Challenges
from github_simulator import Simulator, run

Ready = Callable[[str, Mapping[str, str]], None]


def make_simulator(environ: Mapping[str, str], *, webhook_url: str | None) -> Simulator:
    """A GitHub without anybody on it, with the App of ``environ``; what is not set there is made. Raises SettingsError.

    The App has the permissions and events that ``setup`` asks for.

    ``webhook_url`` None: webhooks are thrown away until the control API sets one.
    """
    secret = secrets.token_urlsafe(24)
    if environ.get("CENTRALBOT_GITHUB_WEBHOOK_SECRET", "").strip():
        secret = load_webhook_target(environ).secret
    oauth = load_oauth_settings(environ)
    make = partial(Simulator, webhook_secret=secret, webhook_url=webhook_url, permissions=PERMISSIONS, events=EVENTS)
    if oauth is not None:
        make = partial(make, client_id=oauth.client_id, client_secret=oauth.client_secret)
    if not environ.get("CENTRALBOT_GITHUB_APP_PRIVATE_KEY", "").strip():
        return make()
    app = load_github_app_settings(environ)
    if not app.app_id.isdecimal():
        raise SettingsError("CENTRALBOT_GITHUB_APP_ID", "expected the App's number: the simulator's App has one")
    return make(app_id=int(app.app_id), private_key_pem=app.private_key_pem)


def serve(simulator: Simulator, *, host: str, port: int, on_ready: Ready) -> None:
    """Serve until SIGTERM or SIGINT; ``on_ready`` gets the address and the settings that the processes need for it.

    Raises OSError where it cannot listen.
    """

    def ready(url: str) -> None:
        one_line = simulator.private_key_pem.strip().replace("\n", "\\n")
        settings = {
            "CENTRALBOT_GITHUB_API_URL": url,
            "CENTRALBOT_GITHUB_WEB_URL": url,
            "CENTRALBOT_GITHUB_APP_ID": str(simulator.app_id),
            "CENTRALBOT_GITHUB_APP_PRIVATE_KEY": one_line,
            "CENTRALBOT_GITHUB_WEBHOOK_SECRET": simulator.deliverer.secret,
            "CENTRALBOT_GITHUB_CLIENT_ID": simulator.client_id,
            "CENTRALBOT_GITHUB_CLIENT_SECRET": simulator.client_secret,
        }
        on_ready(url, settings)

    try:
        run(simulator, host, port, ready)
    except OSError as exc:
        raise OSError(f"cannot listen on {host}:{port}: {exc.strerror}; choose another --port") from exc


STORY_S = 150.0
"""More than ten times what it takes on two busy cores."""
SETTINGS = {"CENTRALBOT_WRITE_INTERVAL_S": "0.2"}


@dataclass(frozen=True, slots=True)
class Operator:
    """The operator's ports."""

    backend: Backend

    @property
    def repositories(self) -> Repositories:
        return self.backend.store.repositories

    @property
    def whitelist(self) -> Whitelist:
        return self.backend.store.whitelist

    @property
    def challenges(self) -> Challenges:
        return self.backend.store.challenges

    @property
    def health(self) -> Health:
        return self.backend.store.health


async def play(view: View, *, stay: bool, on_end: Callable[[list[Ending]], None]) -> None:
    """Play the story and tell ``on_end`` how it ended; with ``stay`` everything is left up until SIGINT or SIGTERM.

    A signal before the end raises CancelledError. Whatever happens, no process and no file is left. Raises DemoError.
    """
    with _signals_cancel(), _temporary_place() as place, view.watching():
        async with _fleet(view, place) as (fleet, backend):
            found = await _tell(view, fleet, backend)
            view.stop()
            on_end(found)
            if stay:
                await _stay(view, fleet)


@asynccontextmanager
async def _fleet(view: View, place: Path) -> AsyncIterator[tuple[Fleet, Backend]]:
    store = StoreSettings(database_url=None, data_dir=place / "data", secret_key=secrets.token_urlsafe(32))
    key = ("demo", secrets.token_urlsafe(32))
    logs = place / "logs"
    logs.mkdir(mode=0o700)
    environ = {"CENTRALBOT_DATA_DIR": str(store.data_dir), "CENTRALBOT_SECRET_KEY": store.secret_key}
    fleet = Fleet(directory=logs, store=environ, settings=SETTINGS, key=key)
    gate = GateSettings(public_url=fleet.api_url, window_s=1800, default_mode="off")
    outbox = OutboxSettings(lease_s=60, max_attempts=12)
    async with AsyncExitStack() as stack:
        with view.step("an embedded PostgreSQL 18 starts"):
            backend = await stack.enter_async_context(open_backend(store, gate, outbox, max_connections=4))
        stack.push_async_callback(fleet.stop)
        await backend.store.keys.create(key[0], signing_key(key[1]), allow_unbound=False)
        try:
            yield fleet, backend
        except DemoError:
            view.stop()
            dead = [child for child in fleet.children.values() if child.code is not None]
            for child in dead or fleet.children.values():
                view.say(f"--- the end of {child.name}'s log")
                for line in child.tail():
                    view.say(line)
            raise


async def _tell(view: View, fleet: Fleet, backend: Backend) -> list[Ending]:
    async def watch() -> None:
        while True:
            await asyncio.sleep(0.25)
            if fleet.has_github:
                view.show(await fleet.github.snapshot())

    watching = asyncio.create_task(watch())
    try:
        async with asyncio.timeout(STORY_S):
            with view.step("simulator, API, two workers and sweeper start as processes"):
                await fleet.start()
            await Story(fleet=fleet, operator=Operator(backend), step=view.step).play()
            snapshot = await fleet.github.snapshot()
    except TimeoutError as exc:
        raise DemoError(f"the story was not over within {STORY_S:g} s; is this machine very busy?") from exc
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    view.show(snapshot)
    return endings(snapshot)


async def _stay(view: View, fleet: Fleet) -> None:
    repository, number, author = OPEN_TO_TRY
    for name, url in (
        ("owner's pages", f"{fleet.api_url}/ (sign in as {MAINTAINER})"),
        ("contributor's page", f"{gate_link(await fleet.github.pull(repository, number))} (sign in as {author})"),
        ("GitHub (simulated)", fleet.github.url),
        ("API", f"{fleet.api_url}/schema"),
        ("API's metrics", f"{fleet.api_url}/metrics"),
        *((f"{name}'s metrics", f"{url}/metrics") for name, url in fleet.workers.items()),
        ("logs", str(fleet.directory)),
    ):
        view.say(f"{name:20} {url}")
    view.say("Everything stays up until Ctrl-C.")
    try:
        while True:
            fleet.check()
            await asyncio.sleep(0.5)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()


@contextmanager
def _signals_cancel() -> Iterator[None]:
    """The first SIGINT or SIGTERM cancels the task; more of them change nothing: stopping is on its way."""
    task, loop, told = asyncio.current_task(), asyncio.get_running_loop(), False

    def tell() -> None:
        nonlocal told
        if not told and task is not None:
            told = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, tell)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextmanager
def _temporary_place() -> Iterator[Path]:
    """A directory that the server's account can pass through, gone at the end with all that the server wrote."""
    place = Path(tempfile.mkdtemp(prefix="centralbot-demo-"))
    place.chmod(0o711)
    try:
        yield place
    finally:
        with suppress(OSError):
            home = remembered_home(place / "data")
            if not home.is_relative_to(place):
                shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(place, ignore_errors=True)
