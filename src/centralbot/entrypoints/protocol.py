"""uvicorn's HTTP protocol with one write a response, a limit on a request's head, and errors in our envelope.

uvicorn writes a response's head and its body apart. Each write is a system call and a packet, and wakes the client;
together they are an eighth of what a request of the hot paths costs.

With httptools uvicorn 0.54 reads addresses and headers of any length: 60 MiB of short headers cost 570 MiB.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""What GitHub, browsers and proxies send is far below; most servers refuse more than 8 to 32 KiB."""
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

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", _Gathering(transport, self.loop))

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

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """What the parser cannot read is refused as everything else is, where uvicorn would send plain text."""
        self.transport.write(_NOT_HTTP)
        self.transport.close()

    def on_headers_complete(self) -> None:
        self._without_progress = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._without_progress = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._without_progress = 0
        super().on_message_complete()
