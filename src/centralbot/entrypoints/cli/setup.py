"""Registers the GitHub App."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from centralbot.entrypoints.cli.output import AsJson, emit_json, fail, note, printable
from centralbot.entrypoints.cli.running import begin, run

STOPPED = 130


def setup(
    name: Annotated[str, typer.Option(help="The App's name on GitHub; it must be free there.")] = "",
    org: Annotated[str, typer.Option(help="The organization that the App belongs to; your account without it.")] = "",
    public_url: Annotated[
        str | None, typer.Option(help="Where people reach centralbot; CENTRALBOT_PUBLIC_URL without it.")
    ] = None,
    webhook_url: Annotated[
        str | None, typer.Option(help="Where GitHub reaches the worker, as https://gate.example.org/webhooks/github.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page, on loopback; 0 is any free port.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the page's address.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an App that was registered before.")] = False,
    as_json: AsJson = False,
) -> None:
    """Register the GitHub App: a page on this machine that fills GitHub's form in and keeps what GitHub gives back.

    The App's id, key and secrets and a service key for the worker go to the data directory, for your account alone;
    every command reads them there, below the environment and .env. Then it says how to install the App.
    """
    from centralbot.entrypoints import settings
    from centralbot.entrypoints.setup.app import Made
    from centralbot.entrypoints.setup.manifest import Wanted, default_webhook_url

    environ = begin()
    web, target = settings.load_web_settings(environ), settings.load_worker_url(environ)
    public = (public_url or web.public_url).rstrip("/")
    first = Wanted(
        name=name or f"centralbot {org}".strip()[:34],
        org=org,
        public_url=public,
        webhook_url=webhook_url or default_webhook_url(public, target, web_url=web.web_url),
    )
    from centralbot.entrypoints.roots import setup as root

    wanted = root.SetupSettings(
        store=settings.load_store_settings(environ),
        gate=settings.load_gate_settings(environ),
        outbox=settings.load_outbox_settings(environ),
        web=web,
        environ=environ,
        port=port,
        force=force,
    )

    def on_ready(url: str) -> None:
        if as_json:
            emit_json({"url": url}, lines=True)
        else:
            print(f"Open this page, for you alone: {url}", flush=True)
        if not no_browser and not as_json:
            _open(url)

    async def work() -> Made | None:
        try:
            return await root.register(wanted, first, on_ready=on_ready)
        except asyncio.CancelledError:
            return None

    made = run(work())
    if made is None:
        fail("stopped before an App was registered", code=STOPPED)
    if as_json:
        emit_json(asdict(made), lines=True)
        return
    print(f"Registered the App {printable(made.slug)} (id {made.app_id}); its credentials are in:")
    for path in made.saved:
        print(f"  {printable(path)}")
    print(f"Install it: {printable(made.install_url)}")
    for step in made.steps:
        print(f"  {step}")


def _open(url: str) -> None:
    import webbrowser

    try:
        opened = webbrowser.open(url)
    except webbrowser.Error:
        opened = False
    if not opened:
        note("No browser could be opened here; copy the address into one on this machine.")
