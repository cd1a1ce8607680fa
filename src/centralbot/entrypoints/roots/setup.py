"""Registering the App: the store, GitHub and a page on loopback, and at the end the files that the processes read."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from centralbot import __version__
from centralbot.adapters.github.registration import open_registration
from centralbot.adapters.system import SystemClock
from centralbot.domain.errors import CentralbotError
from centralbot.domain.signing import signing_key
from centralbot.entrypoints.roots.backend import Backend, open_backend
from centralbot.entrypoints.secret_key import check_secret_key
from centralbot.entrypoints.server import make_server, started
from centralbot.entrypoints.settings import (
    GateSettings,
    OutboxSettings,
    SettingsError,
    StoreSettings,
    WebSettings,
    app_file,
)
from centralbot.entrypoints.setup import Made, Setup, Wanted, build_app
from centralbot.ports.registration import AppRegistration, RegisteredApp

LINGER_S = 2.0
"""How long the last page and its style can still be fetched."""
STEPS = (
    "Check what GitHub has: centralbot doctor",
    "Start the API: centralbot serve-api",
    "Start the worker: centralbot serve-worker",
    "Start the sweeper: centralbot sweep --watch",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupSettings:
    """``environ`` is what the processes would read; ``force`` replaces an App that was registered before."""

    store: StoreSettings
    gate: GateSettings
    outbox: OutboxSettings
    web: WebSettings
    environ: Mapping[str, str]
    port: int
    force: bool


async def register(settings: SetupSettings, first: Wanted, *, on_ready: Callable[[str], None]) -> Made:
    """Serve the page until the App is registered; ``on_ready`` gets its address, which is for this person alone.

    Raises SettingsError before anything is asked of GitHub, RegistrationRefused, Unavailable, OSError.
    """
    app_file.prepare_app_file(settings.store.data_dir, force=settings.force)
    clock, web = SystemClock(), settings.web
    async with (
        open_backend(settings.store, settings.gate, settings.outbox, max_connections=2) as backend,
        open_registration(api_url=web.api_url, user_agent=f"centralbot/{__version__}", clock=clock) as github,
    ):
        await check_secret_key(backend.store.keys)
        registrar = _Registrar(settings, backend, github)
        setup = Setup(first=first, web_url=web.web_url, convert=registrar.convert)
        server = make_server(
            build_app(setup), host="127.0.0.1", port=settings.port, on_stop=setup.stop, chosen_by="--port"
        )
        serving = asyncio.create_task(server.serve())
        try:
            await started(server, serving)
            on_ready(f"http://127.0.0.1:{server.port}/{setup.secret_path}/")
            try:
                return await setup.outcome
            finally:
                if not setup.outcome.cancelled():
                    await asyncio.sleep(LINGER_S)
        finally:
            server.should_exit = True
            await serving


@dataclass(frozen=True, slots=True)
class _Registrar:
    """Gets the App for a code and writes it down before anything else can fail."""

    settings: SetupSettings
    backend: Backend
    github: AppRegistration

    async def convert(self, code: str, wanted: Wanted) -> Made:
        made = await self.github.convert(code)
        data_dir = self.settings.store.data_dir
        values = self._values(made, wanted)
        steps = list(STEPS)
        try:
            path = app_file.write_app_file(data_dir, values, private_key_pem=made.private_key_pem)
            try:
                key = await self._service_key()
            except CentralbotError as error:  # the App is safe; a key can be made by hand
                key = None
                steps.insert(
                    0,
                    f"The worker's key could not be made ({error.message}); make one by hand: centralbot keys create",
                )
            if key is not None:
                app_file.write_app_file(data_dir, {**values, **key})
        except (OSError, ValueError) as error:
            raise SettingsError(
                "CENTRALBOT_DATA_DIR",
                f"the App {made.slug} was made, but its credentials could not be kept: {error}; delete it on GitHub "
                f"({made.html_url}) and run 'centralbot setup' again",
            ) from error
        return Made(
            app_id=made.id,
            slug=made.slug,
            install_url=f"{self.settings.web.web_url}/apps/{made.slug}/installations/new",
            webhook_url=wanted.webhook_url,
            saved=(str(path), str(data_dir / app_file.KEY_FILE)),
            steps=tuple(steps),
        )

    def _values(self, made: RegisteredApp, wanted: Wanted) -> dict[str, str]:
        """What goes with the App, and only where it is not the default anyway."""
        web = self.settings.web
        around = {
            app_file.API_URL: web.api_url,
            app_file.WEB_URL: web.web_url,
            "CENTRALBOT_PUBLIC_URL": wanted.public_url,
        }
        kept = app_file.read_app_file(self.settings.store.data_dir)
        return {
            app_file.APP_ID: str(made.id),
            app_file.APP_SLUG: made.slug,
            app_file.CLIENT_ID: made.client_id,
            app_file.CLIENT_SECRET: made.client_secret,
            "CENTRALBOT_GITHUB_WEBHOOK_SECRET": made.webhook_secret or "",
            app_file.WEBHOOK_URL: wanted.webhook_url,
            **{name: value for name, value in around.items() if value != app_file.DEFAULTS[name]},
            **{name: kept[name] for name in (app_file.KEY_ID, app_file.KEY_SECRET) if name in kept},
        }

    async def _service_key(self) -> dict[str, str] | None:
        """A key for the worker, unless the settings name one that the store knows, or somebody chose one by hand."""
        environ, keys = self.settings.environ, self.backend.store.keys
        key_id = environ.get(app_file.KEY_ID, "").strip()
        by_hand = key_id and key_id != app_file.read_app_file(self.settings.store.data_dir).get(app_file.KEY_ID)
        if by_hand or (key_id and await keys.find_active(key_id) is not None):
            return None
        key_id, secret = f"worker-{secrets.token_hex(4)}", secrets.token_urlsafe(32)
        await keys.create(key_id, signing_key(secret), allow_unbound=False)
        return {app_file.KEY_ID: key_id, app_file.KEY_SECRET: secret}
