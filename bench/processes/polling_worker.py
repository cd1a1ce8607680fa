"""The worker as it is, but for its claims: it asks without waiting and sleeps a second when there is nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from centralbot.adapters.backend_http.client import BackendClient
from centralbot.entrypoints.cli.processes import serve_worker
from centralbot.entrypoints.roots import worker as root
from centralbot.ports.outbox import ClaimedAction, ClaimRequest, MalformedAction

POLL_S = 1.0


class PollingClient(BackendClient):
    """The backend, polled."""

    async def claim(self, request: ClaimRequest, *, wait_s: float = 0.0) -> Sequence[ClaimedAction | MalformedAction]:
        while True:
            actions = await super().claim(request, wait_s=0.0)
            if actions:
                return actions
            await asyncio.sleep(POLL_S)


def main() -> None:
    root.BackendClient = PollingClient  # type: ignore[attr-defined]
    serve_worker()


if __name__ == "__main__":
    main()
