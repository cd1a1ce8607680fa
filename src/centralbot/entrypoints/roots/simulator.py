"""The simulated GitHub as a process of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from functools import partial

from centralbot.adapters.simulator import Simulator, run
from centralbot.entrypoints.settings import (
    SettingsError,
    load_github_app_settings,
    load_oauth_settings,
    load_webhook_target,
)

Ready = Callable[[str, Mapping[str, str]], None]


def make_simulator(environ: Mapping[str, str], *, webhook_url: str | None) -> Simulator:
    """A GitHub without anybody on it, with the App of ``environ``; what is not set there is made. Raises SettingsError.

    ``webhook_url`` None: webhooks are thrown away until the control API sets one.
    """
    secret = secrets.token_urlsafe(24)
    if environ.get("CENTRALBOT_GITHUB_WEBHOOK_SECRET", "").strip():
        secret = load_webhook_target(environ).secret
    oauth = load_oauth_settings(environ)
    make = partial(Simulator, webhook_secret=secret, webhook_url=webhook_url)
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
