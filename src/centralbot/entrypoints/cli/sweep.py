"""The sweeper: one pass, or one after the other until stopped."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from centralbot.domain.errors import Unavailable
from centralbot.entrypoints.cli.output import AsJson, emit_json
from centralbot.entrypoints.cli.running import leave_on_sigterm, open_store, run_server

if TYPE_CHECKING:
    from centralbot.entrypoints.roots.backend import Backend
    from centralbot.ports.driving.sweep import SweepReport

RETENTION_EVERY_S = 300.0
LAST_PASS_S = 3.0


def sweep(
    watch: Annotated[bool, typer.Option("--watch", help="Go on until SIGTERM or Ctrl-C.")] = False,
    interval_s: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between two passes.")] = 15,
    as_json: AsJson = False,
) -> None:
    """Time out what is due, return expired leases, forget what is old; says what it did, one line a pass."""
    if watch:
        leave_on_sigterm()
    run_server(_watch(interval_s, as_json) if watch else _once(as_json))


async def _once(as_json: bool) -> None:
    async with open_store() as backend:
        _say(await backend.sweep.once(), as_json)


async def _watch(interval_s: float, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with open_store(quiet=False) as backend:
        forget_at_s = 0.0
        while not stop.is_set():
            retention = time.monotonic() >= forget_at_s
            if retention:
                forget_at_s = time.monotonic() + RETENTION_EVERY_S
            await _pass(backend, stop, retention=retention, as_json=as_json)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), interval_s)


async def _pass(backend: Backend, stop: asyncio.Event, *, retention: bool, as_json: bool) -> None:
    """One pass. A store that cannot answer is logged, and the next pass tries again."""
    import structlog

    work = asyncio.create_task(_checked(backend, retention=retention))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not work.done():
        await asyncio.wait((work,), timeout=LAST_PASS_S)
        work.cancel()
    try:
        _say(await work, as_json)
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    except Unavailable as exc:
        structlog.get_logger("centralbot").warning("sweep.failed", error=exc.message, hint="the next pass tries again")


async def _checked(backend: Backend, *, retention: bool) -> SweepReport:
    """A pass of one that may have been left out when the secret key was changed: its links would be dead."""
    from centralbot.entrypoints.secret_key import check_secret_key

    await check_secret_key(backend.store.keys)
    return await backend.sweep.once(retention=retention)


def _say(report: SweepReport, as_json: bool) -> None:
    if as_json:
        emit_json(asdict(report), lines=True)
    else:
        print(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in asdict(report).items()), flush=True)
