"""Commands that run something: the API, the worker, the demo, the setup, the simulator."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from centralbot.entrypoints.cli.output import AsJson, emit_json, fail, note, printable
from centralbot.entrypoints.cli.running import begin, leave_on_sigterm, run, run_server

if TYPE_CHECKING:
    from centralbot.entrypoints.demo.story import Ending


def serve_api() -> None:
    """Serve the backend's HTTP side until stopped."""
    leave_on_sigterm()
    from centralbot.entrypoints import settings

    environ = begin(quiet=False)
    gate, outbox = settings.load_gate_settings(environ), settings.load_outbox_settings(environ)
    api, store = settings.load_api_settings(environ), settings.load_store_settings(environ)
    web = settings.load_web_settings(environ)
    from centralbot.entrypoints.roots import backend

    run_server(backend.serve_api(store, gate, outbox, api, web))


def serve_worker() -> None:
    """Receive GitHub's webhooks and execute claimed actions until stopped."""
    leave_on_sigterm()
    from centralbot.entrypoints import settings

    environ = begin(quiet=False)
    worker, github = settings.load_worker_settings(environ), settings.load_github_app_settings(environ)
    from centralbot.entrypoints.roots import worker as root

    run_server(root.serve_worker(worker, github))


STOPPED = 130


def demo(
    stay: Annotated[bool, typer.Option("--stay", help="Keep everything running afterwards, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play a story of gated, verified, timed-out and exempt pull requests, and check what GitHub shows at the end.

    Starts an embedded PostgreSQL, a simulated GitHub, the API, two workers and the sweeper as real processes on free
    ports and in a temporary directory; nothing of it is left. No setting is needed, none is read.
    """
    from centralbot.entrypoints.demo.story import View
    from centralbot.entrypoints.logs import configure_logging
    from centralbot.entrypoints.roots import demo as root

    configure_logging("console", "warning")
    view = View.on(as_json=as_json)
    wrong: list[Ending] = []

    def on_end(endings: list[Ending]) -> None:
        wrong.extend(one for one in endings if not one.ok)
        if as_json:
            emit_json({"ok": not wrong, "pull_requests": [asdict(one) | {"ok": one.ok} for one in endings]})
        else:
            view.ending(endings)

    try:
        asyncio.run(root.play(view, stay=stay, on_end=on_end))
    except asyncio.CancelledError:
        note("stopped; nothing is left running")
        raise typer.Exit(STOPPED) from None
    if wrong:
        note(f"error: {len(wrong)} of the pull requests above are not as they should be")
        raise typer.Exit(1)
    if not as_json:
        view.say("Everything is as it should be.")


def setup(
    name: Annotated[str, typer.Option(help="The App's name on GitHub; it must not be taken there.")] = "",
    org: Annotated[str, typer.Option(help="The organization that will own the App; by default your own account.")] = "",
    public_url: Annotated[
        str | None, typer.Option(help="Where people reach centralbot; by default CENTRALBOT_PUBLIC_URL.")
    ] = None,
    webhook_url: Annotated[
        str | None, typer.Option(help="Where GitHub reaches the worker, as https://gate.example.org/webhooks/github.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port on loopback; 0 picks a free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the page's address.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an App that was registered before.")] = False,
    as_json: AsJson = False,
) -> None:
    """Register the GitHub App: a page on this machine that fills GitHub's form in and keeps what GitHub gives back.

    The App's id, key and secrets and a service key for the worker go to the data directory, for your account alone;
    every command reads them there, below the environment and .env. Then it says how to install the App.
    """
    from centralbot.entrypoints import settings
    from centralbot.entrypoints.setup import Made, Wanted, default_webhook_url

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


def simulator(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port on loopback; 0 picks a free one.")] = 3001,
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
    from centralbot.entrypoints.roots import demo as root

    def on_ready(url: str, settings: Mapping[str, str]) -> None:
        if as_json:
            emit_json({"url": url, "settings": dict(settings)}, lines=True)
            return
        for name, value in settings.items():
            print(f"{name}={value}", flush=True)
        note(f"The simulated GitHub is at {url}; it is controlled under {url}/_simulator/.")

    root.serve(root.make_simulator(environ, webhook_url=webhook_url), host="127.0.0.1", port=port, on_ready=on_ready)
