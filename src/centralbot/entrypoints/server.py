"""Running an ASGI application: uvicorn with our signals, time-outs and a graceful stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn

from centralbot.entrypoints.protocol import Protocol

GRACE_S = 8


class Server(uvicorn.Server):
    """uvicorn that tells the application first, so that long polls end and /readyz says no, before it drains."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None], chosen_by: str) -> None:
        super().__init__(config)
        self._on_stop = on_stop
        self._chosen_by = chosen_by

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen. Raises OSError, where uvicorn would log and leave the process."""
        log = logging.getLogger("uvicorn.error")
        log.disabled = True
        try:
            await super().startup(sockets)
        except SystemExit as exc:
            cause = exc.__context__
            number = cause.errno if isinstance(cause, OSError) else None
            why = os.strerror(number) if number is not None and number > 0 else str(cause)
            raise OSError(
                f"cannot listen on {self.config.host}:{self.config.port}: {why}; choose another {self._chosen_by}"
            ) from exc
        finally:
            log.disabled = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop gracefully; a second Ctrl-C at once. uvicorn would raise the signal anew afterwards: no exit code 0."""
        self._on_stop()
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    def stop(self) -> None:
        """Stop as SIGTERM does."""
        self.handle_exit(signal.SIGTERM, None)

    @property
    def port(self) -> int:
        """The port listened on, also where the system chose it."""
        listener = self.servers[0].sockets[0]
        return int(listener.getsockname()[1])


def make_server(
    app: Any, *, host: str, port: int, on_stop: Callable[[], None] = lambda: None, chosen_by: str = "port"
) -> Server:
    """A server for ``app``. Stopping takes at most ``GRACE_S`` seconds.

    ``chosen_by``: what to change where it cannot listen.
    """
    config = uvicorn.Config(
        AnsweringHead(app),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        http=Protocol,
        proxy_headers=False,  # nothing asks who the client is, and a header would be believed
        lifespan="off",
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=75,
        backlog=2048,
        ws="none",
    )
    return Server(config, on_stop, chosen_by)


@dataclass(frozen=True, slots=True)
class AnsweringHead:
    """``app``, where HEAD is what GET would be without its body, which uvicorn leaves out (RFC 9110, 9.3.2)."""

    app: Any

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)


async def started(server: Server, task: asyncio.Task[None]) -> None:
    """Wait until ``server`` listens. Raises what its start raised, or OSError where it could not listen."""
    while not server.started:
        if task.done():
            await task
            raise OSError(f"could not listen on {server.config.host}:{server.config.port}; is the port taken?")
        await asyncio.sleep(0.005)
    gc.collect()
    gc.freeze()  # what lives from the start is not looked at again
