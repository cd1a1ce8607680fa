"""The fleet as production has it: replicas behind balancers, over a PostgreSQL of its own that can be restarted."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from centralbot.adapters import embedded_postgres
from centralbot.adapters.embedded_postgres import EmbeddedPostgres
from centralbot.entrypoints.demo.fleet import SIGN_IN, Child, DemoError, Fleet, T, free_port
from centralbot.entrypoints.settings.worker import WEBHOOK_SECRET
from tests.reliability.tcp_proxies import Balancer

PATIENCE_S = 60.0
"""How long a state is waited for: many times what it takes on two busy cores."""
APIS, WORKERS = ("api-1", "api-2"), ("worker-1", "worker-2")


@dataclass(kw_only=True)
class Server:
    """A PostgreSQL of our own."""

    directory: Path
    _handles: list[EmbeddedPostgres] = field(default_factory=list)

    def start(self) -> None:
        """Start it, or join it where it runs."""
        self._handles.append(embedded_postgres.start(self.directory))

    @property
    def dsn(self) -> str:
        return self._handles[0].dsn

    @property
    def socket(self) -> Path:
        return Path(str(conninfo_to_dict(self.dsn)["host"])) / ".s.PGSQL.5432"

    async def restart(self, how: signal.Signals) -> None:
        """Stop it by a signal and start it: SIGQUIT is pg_ctl's ``immediate``, a crash; SIGINT its ``fast``."""
        pid_file = self._handles[0].files / "data" / "postmaster.pid"
        os.kill(int(pid_file.read_text().split()[0]), how)
        while pid_file.exists():  # noqa: ASYNC110 - another process removes it
            await asyncio.sleep(0.01)
        await asyncio.to_thread(self.start)

    def stop(self) -> None:
        for handle in self._handles:
            handle.stop()


@dataclass(kw_only=True)
class Cluster(Fleet):
    """Two APIs and two workers, each pair behind a balancer: a replica can go while its pair takes what comes."""

    to_api: Balancer = field(default_factory=Balancer)
    to_worker: Balancer = field(default_factory=Balancer)
    hook_port: int = field(default_factory=free_port)
    _api_ports: dict[str, int] = field(default_factory=dict)

    async def start(self, *, workers: int = len(WORKERS)) -> None:
        """Start all; webhooks go to the workers in turn."""
        await self.to_api.open(self.api_port)
        await self.to_worker.open(self.hook_port)
        simulator, sweeper = self.spawn_simulator(), self.spawn_sweeper()
        await self.meet_simulator(simulator)
        apis = [self.spawn_api(name) for name in APIS]
        spawned = [self.spawn_worker(name) for name in WORKERS[:workers]]
        for api in apis:
            await self.meet_api(api)
        for worker in spawned:
            await self.meet_worker(worker)
        await self.github.act("configure_delivery", url=f"http://127.0.0.1:{self.hook_port}/webhooks/github")
        await self.until("the sweeper", lambda: _now(bool(sweeper.printed())))

    def spawn_sweeper(self, name: str = "sweeper") -> Child:
        return self.spawn(name, "sweep", "--watch", "--interval-s", "1", "--json", **self.store)

    def spawn_api(self, name: str = APIS[0]) -> Child:
        port = self._api_ports[name] = free_port()
        own = {"CENTRALBOT_API_PORT": str(port), "CENTRALBOT_PUBLIC_URL": self.api_url}
        of_app = {key: value for key, value in self._app.items() if key in SIGN_IN}
        return self.spawn(name, "serve-api", **self.store, **of_app, **own)

    @property
    def webhook_secret(self) -> str:
        """What workers started from now on verify webhooks with: one secret, or two separated by a comma."""
        return self._app[WEBHOOK_SECRET]

    @webhook_secret.setter
    def webhook_secret(self, secret: str) -> None:
        self._app = {**self._app, WEBHOOK_SECRET: secret}

    async def said(self, *arguments: str) -> str:
        """What a command on the store prints, once it has ended well."""
        child = self.spawn("-".join(arguments[:2]), *arguments, **self.store)
        code = await child.ended(within_s=PATIENCE_S)
        del self.children[child.name]
        if code:
            raise DemoError(f"centralbot {' '.join(arguments)} ended with {code}: {child.tail()}")
        return "".join(child.printed())

    async def meet_api(self, api: Child) -> None:
        await super().meet_api(api)
        self.to_api.ports[api.name] = self._api_ports[api.name]

    async def meet_worker(self, worker: Child) -> None:
        await super().meet_worker(worker)
        self.to_worker.ports[worker.name] = urlsplit(self.workers[worker.name]).port or 0

    async def until(self, what: str, probe: Callable[[], Awaitable[T | None]], *, within_s: float = PATIENCE_S) -> T:
        return await super().until(what, probe, within_s=within_s)

    async def stop_one(self, name: str) -> int:
        """SIGTERM; its balancer finds out by itself."""
        code = await super().stop_one(name)
        self._forget(name)
        return code

    async def replace(self, name: str, **environ: str) -> int:
        """Stop a process as a deployment does and start another in its place; the exit code of the old one."""
        code = await self.stop_one(name)
        if name in APIS:
            await self.meet_api(self.spawn_api(name))
        else:
            await self.meet_worker(self.spawn_worker(name, **environ))
        return code

    async def kill(self, name: str) -> None:
        """SIGKILL."""
        child = self.children.pop(name)
        self.workers.pop(name, None)
        child.send(signal.SIGKILL)
        await child.ended()
        self._forget(name)

    @asynccontextmanager
    async def frozen(self, *names: str) -> AsyncIterator[None]:
        """SIGSTOP, and SIGCONT when the block ends. The balancers leave them out meanwhile."""
        children = [self.children[name] for name in names]
        ports = [dict(balancer.ports) for balancer in self._balancers]
        for child in children:
            child.send(signal.SIGSTOP)
            self._forget(child.name)
        try:
            yield
        finally:
            for child in children:
                child.send(signal.SIGCONT)
            for balancer, before in zip(self._balancers, ports, strict=True):
                balancer.ports |= {name: before[name] for name in names if name in before}

    async def stop(self) -> None:
        callers = [name for name in self.children if name not in (*APIS, "simulator")]
        await asyncio.gather(*(self.stop_one(name) for name in callers))
        await super().stop()
        for balancer in self._balancers:
            await balancer.close()

    @property
    def _balancers(self) -> tuple[Balancer, Balancer]:
        return self.to_worker, self.to_api

    def _forget(self, name: str) -> None:
        for balancer in self._balancers:
            balancer.leave_out(name)


async def _now(value: T) -> T:
    return value
