"""Serves the simulator with uvicorn on loopback, in the caller's event loop or as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Generator

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .simulator import Simulator

SHUTDOWN_S = 1


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP, with a way to cut the connection under the application: no ASGI message does that."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"centralbot.abort": self.transport.abort}  # type: ignore[dict-item]


class _Server(uvicorn.Server):
    """A server that leaves the signals to whoever runs the loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, because asyncio turns Nagle's algorithm off only where it sees TCP here: 40 ms a request otherwise.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)
    listener.setblocking(False)
    return listener


@contextlib.asynccontextmanager
async def running(simulator: Simulator, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve and deliver for as long as the block runs. Gives the base address; port 0 takes a free one."""
    listener = _bind(host, port)
    shown = f"[{host}]" if ":" in host else host
    simulator.base_url = f"http://{shown}:{listener.getsockname()[1]}"
    simulator.api.closing = asyncio.Event()
    config = uvicorn.Config(
        simulator.asgi,
        http=_Protocol,
        interface="asgi3",
        proxy_headers=False,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        # uvicorn tells by a flag alone that it has started.
        while not server.started and not serving.done():  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        async with simulator.deliverer.sending():
            yield simulator.base_url
    finally:
        simulator.api.closing.set()
        server.should_exit = True
        await serving
        listener.close()


def run(
    simulator: Simulator, host: str = "127.0.0.1", port: int = 0, ready: Callable[[str], None] | None = None
) -> None:
    """Serve in this process until SIGINT or SIGTERM; ``ready`` gets the base address once requests are taken."""
    asyncio.run(_until_signal(simulator, host, port, ready))


async def _until_signal(simulator: Simulator, host: str, port: int, ready: Callable[[str], None] | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopped.set)
        except NotImplementedError:  # Windows: its event loop takes no signal handlers
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
    async with running(simulator, host, port) as base_url:
        if ready is not None:
            ready(base_url)
        await stopped.wait()
