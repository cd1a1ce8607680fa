"""uvicorn's HTTP protocol with one write a response, a limit on a request's head, and errors in our envelope.

uvicorn writes a response's head and its body apart. Each write is a system call and a packet, and wakes the client;
together they are an eighth of what a request of the hot paths costs.

With httptools uvicorn 0.54 reads addresses and headers of any length: 60 MiB of short headers cost 570 MiB. It also
waits for the rest of a request for ever: a thousand clients that say nothing were all that a process could have.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

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
    b'{"error": {"code": "VALIDATION_ERROR", "message": "the request is not HTTP as we know it"}}'
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
