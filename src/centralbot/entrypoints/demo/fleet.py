"""Everything that runs in production, on one machine: simulator, API, workers and sweeper, each a process."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from centralbot.entrypoints.demo.children import Child, DemoError
from centralbot.entrypoints.demo.github import SimulatedGitHub

T = TypeVar("T")

SIGN_IN = tuple(f"CENTRALBOT_GITHUB_{name}" for name in ("API_URL", "WEB_URL", "CLIENT_ID", "CLIENT_SECRET"))
"""What the API knows of the App: how people sign in with it, not how it acts."""
READY_S = 60.0
LOOK_S = 0.1


@dataclass(kw_only=True)
class Fleet:
    """The processes of one run. ``store`` and ``settings`` are environment variables; a worker sees no store's.

    ``directory`` takes their logs; ``key`` is the id and the secret of the workers' service key.
    """

    directory: Path
    store: Mapping[str, str]
    settings: Mapping[str, str]
    key: tuple[str, str]
    children: dict[str, Child] = field(default_factory=dict)
    workers: dict[str, str] = field(default_factory=dict)
    """The base URL of each worker by its name."""
    api_port: int = field(default_factory=lambda: free_port())
    _github: SimulatedGitHub | None = None
    _app: Mapping[str, str] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        """Where the API is; chosen before it starts, since the links in comments lead there."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def has_github(self) -> bool:
        return self._github is not None

    @property
    def github(self) -> SimulatedGitHub:
        if self._github is None:
            raise DemoError("the simulator was not started")
        return self._github

    async def start(self, *, workers: int = 2) -> None:
        """Start all; webhooks go to the first worker."""
        simulator = self.spawn_simulator()
        sweeper = self.spawn("sweeper", "sweep", "--watch", "--interval-s", "1", "--json", **self.store)
        await self.meet_simulator(simulator)
        api = self.spawn_api()
        names = [f"worker-{number}" for number in range(1, workers + 1)]
        spawned = [self.spawn_worker(name) for name in names]
        await self.meet_api(api)
        await asyncio.gather(*(self.meet_worker(worker) for worker in spawned))
        await sweeper.told(lambda child: child.printed() or None, within_s=READY_S)
        await self.hook(names[0])

    def spawn(self, name: str, *arguments: str, **environ: str) -> Child:
        """Start one process."""
        self.children[name] = Child(name, arguments, {**self.settings, **environ}, self.directory)
        return self.children[name]

    def spawn_simulator(self) -> Child:
        return self.spawn("simulator", "simulator", "--port", "0", "--json")

    async def meet_simulator(self, simulator: Child) -> None:
        """Wait for it, and keep what the App's settings page would show."""
        said = json.loads((await simulator.told(lambda child: child.printed() or None, within_s=READY_S))[0])
        self._github = SimulatedGitHub(said["url"])
        self._app = said["settings"]

    def spawn_api(self) -> Child:
        own = {"CENTRALBOT_API_PORT": str(self.api_port), "CENTRALBOT_PUBLIC_URL": self.api_url}
        of_app = {name: value for name, value in self._app.items() if name in SIGN_IN}
        return self.spawn("api", "serve-api", **self.store, **of_app, **own)

    async def meet_api(self, api: Child) -> None:
        await api.told(lambda child: child.logged("api.listening"), within_s=READY_S)

    def spawn_worker(self, name: str, **environ: str) -> Child:
        own = {
            "CENTRALBOT_WORKER_PORT": "0",
            "CENTRALBOT_WORKER_ID": name,
            "CENTRALBOT_BACKEND_URL": self.api_url,
            "CENTRALBOT_BOT_KEY_ID": self.key[0],
            "CENTRALBOT_BOT_SECRET": self.key[1],
        }
        return self.spawn(name, "serve-worker", **{**self._app, **own, **environ})

    def spawn_sync(self, *arguments: str) -> Child:
        own = {"CENTRALBOT_PUBLIC_URL": self.api_url}
        return self.spawn("sync", "sync", "--json", *arguments, **self.store, **self._app, **own)

    async def meet_worker(self, worker: Child) -> None:
        listening = await worker.told(lambda child: child.logged("worker.listening"), within_s=READY_S)
        self.workers[worker.name] = listening["url"]

    async def hook(self, worker: str) -> None:
        """Point the App's webhook at this worker."""
        await self.github.act("configure_delivery", url=f"{self.workers[worker]}/webhooks/github")

    async def until(self, what: str, probe: Callable[[], Awaitable[T | None]], *, within_s: float = 30.0) -> T:
        """Look again and again until the probe sees something. Raises DemoError when time is up or a process ended."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + within_s
        while not (seen := await probe()):
            self.check()
            if loop.time() > give_up_s:
                raise DemoError(f"waited {within_s:g} s in vain for this: {what}")
            await asyncio.sleep(LOOK_S)
        return seen

    def check(self) -> None:
        """Raise DemoError if a process has ended by itself."""
        for child in self.children.values():
            if child.code is not None:
                raise DemoError(f"{child.name} ended with exit code {child.code}; its log says why")

    async def stop_one(self, name: str) -> int:
        """Stop a process as a deployment would; its exit code."""
        self.workers.pop(name, None)
        return await self.children.pop(name).stop()

    async def stop(self) -> None:
        """Stop all: first what calls others, then what is called."""
        if self._github is not None:
            await self._github.close()
        called = [child for name, child in self.children.items() if name in ("api", "simulator")]
        callers = [child for child in self.children.values() if child not in called]
        for group in (callers, called):
            await asyncio.gather(*(child.stop() for child in group))
        self.children.clear()


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
