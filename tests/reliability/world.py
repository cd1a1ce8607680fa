"""The cluster as these tests see it: load, ends of processes, repair, and what was counted."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from centralbot.domain.installation import InstallationStatus
from centralbot.domain.outbox import Action, ActionStatus
from tests import oracles
from tests.e2e.world import Installed, World
from tests.reliability.cluster import Cluster, Server
from tests.reliability.tcp_proxies import StoreProxy

CREATE, CLOSE, MINT = "issues/create-comment", "pulls/update", "apps/create-installation-access-token"
PERMISSION = "repos/get-collaborator-permission-level"
Pull = tuple[str, int]
"""Repository and number."""


@dataclass(kw_only=True)
class ReliableWorld(World):
    """One cluster for all tests; each takes organizations of its own and leaves all processes running."""

    fleet: Cluster
    server: Server
    to_store: StoreProxy

    @asynccontextmanager
    async def load(self, *installed: Installed, every_s: float = 0.05) -> AsyncIterator[list[Pull]]:
        """Pull requests are opened for as long as the block runs, in turn; the list grows."""
        opened: list[Pull] = []

        async def forever() -> None:
            for one in itertools.cycle(installed):
                opened.append((one.repository, await self.open(one.repository)))
                await asyncio.sleep(every_s)

        task = asyncio.create_task(forever())
        try:
            yield opened
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def opened(self, opened: Sequence[Pull], count: int) -> None:
        """Wait until the load has opened so many more."""
        wanted = len(opened) + count

        async def probe() -> bool:
            return len(opened) >= wanted

        await self.fleet.until(f"{count} more pull requests", probe)

    async def held(self, installed: Installed) -> Action:
        """The action of this installation that a worker has claimed, once there is one."""

        async def probe() -> Action | None:
            claimed = await self.backend.store.actions.search(status=ActionStatus.CLAIMED)
            return next((one for one in claimed if one.installation_id == installed.id), None)

        return await self.fleet.until("a claim", probe)

    async def actions(self, installed: Installed) -> list[Action]:
        """All actions of this installation, newest first."""
        return [one for one in await self.backend.store.actions.search() if one.installation_id == installed.id]

    async def answers(self, installed: Installed, operation: str) -> list[int]:
        """What GitHub answered this installation to an operation, in order."""
        sent = await self.github.requests(installation_id=installed.id)
        return [one["status"] for one in sent if one["operation"] == operation]

    async def tried(self, installed: Installed, count: int) -> None:
        """Wait until so many actions of this installation were tried and failed once at least."""

        async def probe() -> bool:
            waiting = [one.attempts and one.status is ActionStatus.PENDING for one in await self.actions(installed)]
            return len(waiting) == count and all(waiting)

        await self.fleet.until("an attempt of each", probe)

    async def away(self, installed: Installed) -> None:
        """Wait until the backend has heard that this installation is not active, and no worker holds anything of it."""

        async def probe() -> bool:
            record = await self.backend.store.repositories.get(installed.repo_id)
            held = [one for one in await self.actions(installed) if one.status is ActionStatus.CLAIMED]
            return record is not None and record.installation_status is not InstallationStatus.ACTIVE and not held

        await self.fleet.until("the installation to be away", probe)

    async def bad_tokens(self, installed: Installed) -> None:
        """Who writes the first comment finds the token revoked, and the new one not known everywhere yet: it waits.

        That author was asked for with another token, the first new one from now on.
        """
        of_it = {"installation_id": installed.id}
        await self.github.act("revoke_installation_tokens", **of_it)
        await self.github.act("faults", kind="revoke_token", operation=CREATE, count=1, **of_it)
        await self.github.act("faults", kind="fresh_token", times=2, skip=1, count=1, **of_it)

    async def refused(self, installed: Installed, operation: str) -> None:
        """Wait until GitHub has refused an operation twice for its token: the worker that sent it now waits, too."""

        async def probe() -> bool:
            sent = await self.github.requests(operation=operation)
            paths = [one["path"] for one in sent if one["status"] == 401]
            return sum(f"/{installed.repository}/" in path for path in paths) >= 2

        await self.fleet.until(f"{operation} to be refused", probe)

    async def lost_its_claim(self, held: Action) -> None:
        """Wait until the worker has noticed that its first claim of this action counts no more."""
        worker = self.fleet.children[str(held.worker_id)]

        async def probe() -> bool:
            said = [json.loads(line) for line in worker.tail(1000) if f'"{held.id}"' in line]
            return any(one["event"] == "action.not_reported" and one["attempts"] == 0 for one in said)

        await self.fleet.until("the worker to notice", probe)

    async def leases_out(self) -> None:
        """Wait until the sweeper has taken back every lease."""

        async def probe() -> bool:
            return not (await self.backend.store.health.backlog()).by_status.get(ActionStatus.CLAIMED)

        await self.fleet.until("the leases to run out", probe)

    async def failed(self) -> list[str]:
        """The GUIDs that GitHub has delivered no attempt of."""
        latest = (await self.github.snapshot())["deliveries"]["latest"]
        fine = {one["guid"] for one in latest if one["status_code"] in (200, 202)}
        return sorted({one["guid"] for one in latest} - fine)

    async def paused(self, installed: Installed) -> None:
        """Wait until the store lets nobody act on this installation for a while."""
        query = "SELECT paused_until > now() FROM github_installations WHERE installation_id = %s"

        async def probe() -> bool:
            with psycopg.connect(self.server.dsn) as store:
                row = store.execute(query, (installed.id,)).fetchone()
            return bool(row and row[0])

        await self.fleet.until("a pause", probe)

    async def refusals(self, *statuses: int) -> list[int]:
        """The latest deliveries' answers that are one of these."""
        latest = (await self.github.snapshot())["deliveries"]["latest"]
        return [one["status_code"] for one in latest if one["status_code"] in statuses]

    async def repaired(self) -> dict[str, Any]:
        """What ``centralbot sync`` of everything says that it did, once what it had sent again was delivered."""
        child = self.fleet.spawn_sync()
        code = await child.ended(within_s=60)
        del self.fleet.children[child.name]
        assert code == 0, child.tail()
        await self.settled()
        report: dict[str, Any] = json.loads("".join(child.printed()))
        return report

    async def unasked(self, opened: Sequence[Pull]) -> list[Pull]:
        """Those that do not show exactly one comment of ours."""
        pulls = {(one["repository"], one["number"]): one for one in (await self.github.snapshot())["pull_requests"]}
        return [one for one in opened if [c["via_app"] for c in pulls[one]["comments"]] != [True]]

    async def counted(self) -> oracles.Counts:
        """The three counts, once nothing is left to do."""
        await self.settled()
        return oracles.take(self.server.dsn, await self.github.snapshot())
