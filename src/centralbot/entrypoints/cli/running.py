"""What commands share: settings, an open store, running and stopping."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from centralbot.entrypoints.cli.output import note

if TYPE_CHECKING:
    from centralbot.entrypoints.roots.backend import Backend


HIGHEST_ID = 2**63 - 1

UserId = Annotated[int, typer.Argument(min=1, max=HIGHEST_ID, metavar="USER_ID", help="GitHub's user id.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="Show at most this many.")]


T = TypeVar("T")

GARBAGE = 50_000
"""Objects between two collections. A sweep's rows have no cycles: looking for them is waste."""


def begin(*, quiet: bool = True, with_app: bool = True) -> dict[str, str]:
    """The settings: the environment over ``.env`` in the working directory over the App of ``centralbot setup``.

    Logs go to stderr from here on; ``quiet`` leaves warnings only, unless CENTRALBOT_LOG_LEVEL says otherwise, and
    tells a person rather than the log of names that are no settings. ``with_app`` False leaves the App out. Raises
    SettingsError.
    """
    from centralbot.entrypoints import settings
    from centralbot.entrypoints.logs import configure_logging

    environ = settings.read_environ(os.environ, Path.cwd())
    logs = settings.load_log_settings(environ, terminal=sys.stderr.isatty())
    is_chosen = bool(environ.get("CENTRALBOT_LOG_LEVEL", "").strip())
    configure_logging(logs.format, "warning" if quiet and not is_chosen else logs.level)
    _warn_of_unknown(environ, quiet=quiet)
    return settings.with_app_file(environ) if with_app else environ


def _warn_of_unknown(environ: dict[str, str], *, quiet: bool) -> None:
    """Before anything is missed for want of what was misspelt."""
    import structlog

    from centralbot.entrypoints.settings import unknown_names

    for name, hint in unknown_names(environ):
        if quiet:
            note(f"warning: {name} is set, and no setting of that name is known; {hint}")
        else:
            structlog.get_logger("centralbot").warning("settings.unknown", name=name, hint=hint)


@asynccontextmanager
async def open_store(
    environ: dict[str, str] | None = None, *, quiet: bool = True, any_secret_key: bool = False
) -> AsyncIterator[Backend]:
    """The store and the use cases over it, for a command; ``environ`` where it has begun already.

    Raises Unavailable under another secret key than the store's, unless ``any_secret_key``.
    """
    from centralbot.entrypoints.settings import load_gate_settings, load_outbox_settings, load_store_settings

    environ = begin(quiet=quiet) if environ is None else environ
    gate, outbox = load_gate_settings(environ), load_outbox_settings(environ)
    store = load_store_settings(environ)
    from centralbot.entrypoints.roots.backend import open_backend
    from centralbot.entrypoints.secret_key import check_secret_key

    async with open_backend(store, gate, outbox, max_connections=4) as backend:
        if not any_secret_key:
            await check_secret_key(backend.store.keys)
        gc.set_threshold(GARBAGE)
        yield backend


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one command's work."""
    return asyncio.run(work)


def run_server(work: Coroutine[Any, Any, None]) -> None:
    """Run a server to its end, on uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def leave_on_sigterm() -> None:
    """End without fault on a SIGTERM that comes before the server handles it itself."""

    def leave(*_: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)


def operator() -> str:
    """Who runs the command, for the audit."""
    import getpass

    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):  # an account without a name, as in some containers
        return f"operator:{os.getuid()}"
