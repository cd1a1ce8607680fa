"""The HTTP server of both processes, and the protocol that keeps it bounded."""

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
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""What GitHub, browsers and proxies send is far below; most servers refuse more than 8 to 32 KiB."""
RECEIVE_S = 20.0
"""For a whole request, from its connection or its first byte on. GitHub itself gives up after 10 s."""
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: application/json\r\nconnection: close\r\n\r\n"
    b'{"error": {"code": "PAYLOAD_TOO_LARGE", "message": "the request\'s head is over the limit"}}'
)


_NOT_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"content-type: application/json\r\nconnection: close\r\n\r\n"
    b'{"error": {"code": "VALIDATION_ERROR", "message": "malformed HTTP request"}}'
)


class _Gathering:
    """A transport whose writes go out together: when the response is complete, else with the event loop's next turn."""

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)

    def flush(self) -> None:
        if self._held:
            held, self._held = self._held, []
            self._transport.write(b"".join(held))

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Protocol(HttpToolsProtocol):
    """One connection of a client."""

    _without_progress = 0
    """Bytes since the parser last came to the end of something: of a head, a piece of a body, a message."""
    _whole = False
    """Whether the last request that began has arrived to its end."""
    _deadline: asyncio.TimerHandle | None = None
    """Runs while a request is awaited or arriving, but for the time that uvicorn keeps a connection between two."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", _Gathering(transport, self.loop))
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        cast("_Gathering", self.transport).flush()
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        self._without_progress += len(data)
        super().data_received(data)
        if self._without_progress > MAX_HEAD_BYTES and not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_TOO_LARGE)
            self.transport.close()
        self._watch()

    def _watch(self) -> None:
        arriving = not self._whole or self.cycle is None or self.cycle.response_complete
        if not arriving and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        elif arriving and self._deadline is None:
            self._deadline = self.loop.call_later(RECEIVE_S, self.transport.close)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """What the parser cannot read is refused as everything else is, where uvicorn would send plain text."""
        self.transport.write(_NOT_HTTP)
        self.transport.close()

    def on_message_begin(self) -> None:
        self._whole = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._without_progress = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._without_progress = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._without_progress = 0
        self._whole = True
        super().on_message_complete()


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
