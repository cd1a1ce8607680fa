"""A GitHub to develop against, on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from centralbot.entrypoints.cli.output import AsJson, emit_json, note
from centralbot.entrypoints.cli.running import begin, leave_on_sigterm


def simulator(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where it listens on loopback; 0 is any free port.")
    ] = 3001,
    webhook_url: Annotated[
        str | None, typer.Option(help="Where its webhooks go, as http://127.0.0.1:3000/webhooks/github.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve a simulated GitHub until stopped: a tool for development, with its page at / (not for production).

    Prints the settings with which API and worker talk to it, ready for .env. The App's id, private key, webhook secret
    and client credentials are taken from the same settings where these are set, and made up where not.
    """
    leave_on_sigterm()
    environ = begin(with_app=False)  # its settings are printed: never those of a real App
    from centralbot.entrypoints.roots import simulator as root

    def on_ready(url: str, settings: Mapping[str, str]) -> None:
        if as_json:
            emit_json({"url": url, "settings": dict(settings)}, lines=True)
            return
        for name, value in settings.items():
            print(f"{name}={value}", flush=True)
        note(f"The simulated GitHub is at {url}; it is controlled under {url}/_simulator/.")

    root.serve(root.make_simulator(environ, webhook_url=webhook_url), host="127.0.0.1", port=port, on_ready=on_ready)
