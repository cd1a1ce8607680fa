"""The simulated GitHub, seen from another process: its control API, and what it shows."""

from __future__ import annotations

from typing import Any

import httpx

from centralbot.entrypoints.demo.children import DemoError

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
