"""The demo's processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from centralbot.domain.errors import CentralbotError

T = TypeVar("T")

POLL_S = 0.05
STOP_S = 12.0
"""Every process promises to end within 10 s of SIGTERM."""


class DemoError(CentralbotError):
    """A process or a step of the story did not do what it should."""

    code = "DEMO"


class Child:
    """One ``centralbot`` command as a process: ``<name>.out`` holds its output, ``<name>.log`` its log."""

    def __init__(self, name: str, arguments: tuple[str, ...], environ: Mapping[str, str], directory: Path) -> None:
        self.name = name
        self._out, self._log = directory / f"{name}.out", directory / f"{name}.log"
        # Settings of the caller's must not get in, and a proxy has no way to our loopback.
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("CENTRALBOT_") and not key.lower().endswith("_proxy")
        }
        work = directory / f"{name}.cwd"
        work.mkdir(mode=0o700, exist_ok=True)
        with self._out.open("wb") as out, self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "centralbot", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cwd=work,  # empty: no .env of the caller's gets in
                env={**kept, "CENTRALBOT_LOG_FORMAT": "json", **environ},
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop them in order
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def printed(self) -> list[str]:
        """Whole lines of its output so far."""
        return _lines(self._out)

    def logged(self, event: str) -> dict[str, Any] | None:
        """The first line of its log with this event."""
        for line in _lines(self._log):
            if line.startswith("{"):
                entry = json.loads(line)
                if entry.get("event") == event:
                    return dict(entry)
        return None

    async def told(self, find: Callable[[Child], T | None], *, within_s: float) -> T:
        """Wait for ``find`` to find something. Raises DemoError when the process ends first or time is up."""
        give_up_s = time.monotonic() + within_s
        while True:
            code = self.code
            found = find(self)
            if found is not None:
                return found
            if code is not None:
                raise DemoError(f"{self.name} ended with exit code {code} before it was ready; its log says why")
            if time.monotonic() > give_up_s:
                raise DemoError(f"{self.name} was not ready within {within_s:g} s; its log may say why")
            await asyncio.sleep(POLL_S)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; to one that has ended, nothing."""
        self._process.send_signal(number)

    async def ended(self, *, within_s: float = STOP_S) -> int:
        """Wait for its end, then kill it; the exit code."""
        give_up_s = time.monotonic() + within_s
        while (code := self.code) is None:
            if time.monotonic() > give_up_s:
                self._process.kill()
                return self._process.wait()
            await asyncio.sleep(POLL_S)
        return code

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and wait for the end."""
        self.send(number)
        return await self.ended()

    def tail(self, lines: int = 15) -> list[str]:
        """The end of its log."""
        return self._log.read_text("utf-8", "replace").splitlines()[-lines:]


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8", "replace").splitlines(keepends=True) if line.endswith("\n")]


Json = dict[str, Any]


class SimulatedGitHub:
    """A client of the control API (see the simulator's ``control.py`` for the acts)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.AsyncClient(base_url=url, timeout=10, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def act(self, name: str, /, **arguments: Any) -> Any:
        """Have something happen on GitHub; what the act returns. Raises DemoError where GitHub refuses."""
        answer = await self._client.post(f"/_simulator/{name}", json=arguments)
        if answer.is_error:
            raise DemoError(f"the simulated GitHub refused {name}: {answer.text[:300]}")
        return answer.json()["result"]

    async def clear_faults(self) -> None:
        await self._client.request("DELETE", "/_simulator/faults", json={})

    async def snapshot(self) -> Json:
        """Everything that it shows now."""
        shown: Json = (await self._client.get("/_simulator/snapshot")).json()
        return shown

    async def pull(self, repository: str, number: int) -> Json:
        """One pull request as it is now."""
        return find_pull(await self.snapshot(), repository, number)

    async def delivery(self, **wanted: Any) -> Json | None:
        """The latest delivery attempt with these fields, once it was made."""
        latest: list[Json] = (await self.snapshot())["deliveries"]["latest"]
        fit = [one for one in latest if one["status"] != "pending" and wanted.items() <= one.items()]
        return fit[-1] if fit else None

    async def is_idle(self) -> bool:
        """Whether every delivery was made."""
        deliveries = (await self.snapshot())["deliveries"]
        return not deliveries["waiting"] and all(one["status"] != "pending" for one in deliveries["latest"])

    async def requests(self, **wanted: Any) -> list[Json]:
        """The API requests of one ``installation_id`` or ``operation``, oldest first (simulator's ``requests.py``)."""
        answer = await self._client.get("/_simulator/requests", params=wanted)
        sent: list[Json] = answer.json()["requests"]
        return sent

    async def operations(self, installation_id: int) -> list[str]:
        """The API operations that an installation's bot called, tokens aside, in order."""
        names = [one["operation"] for one in await self.requests(installation_id=installation_id)]
        return [name for name in names if not name.startswith("apps/")]


def find_pull(snapshot: Json, repository: str, number: int) -> Json:
    """One pull request of a snapshot. Raises DemoError where there is none."""
    for pull in snapshot["pull_requests"]:
        if (pull["repository"], pull["number"]) == (repository, number):
            return dict(pull)
    raise DemoError(f"the simulated GitHub has no {repository}#{number}")


def titles(pull: Json) -> tuple[str, ...]:
    """The headings of the comments that the bot wrote, in order; anybody else's by its author."""
    return tuple(
        str(one["body"]).partition("\n")[0].lstrip("# ") if one["via_app"] else f"a comment by {one['author']}"
        for one in pull["comments"]
    )


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
