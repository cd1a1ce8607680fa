"""The port ``OpenPullRequests`` over GitHub's REST API."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial

from centralbot.adapters.github import operations
from centralbot.adapters.github.client import GitHubClient
from centralbot.adapters.github.shapes import decode
from centralbot.adapters.github.shapes_lists import ListedPull
from centralbot.ports.driven.github import RepositoryName
from centralbot.ports.driven.open_pull_requests import OpenPullRequest


class GitHubOpenPullRequests:
    """Lists as the installation: one request for each hundred, and none for what is too old."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client

    async def list_open(
        self, installation_id: int, repository: RepositoryName, *, since: datetime
    ) -> Sequence[OpenPullRequest]:
        found = await self._read(installation_id, repository, since)
        if any(pull.base.repo.id != repository.id for pull in found):
            # The name now belongs to another repository: renamed, and the old name taken again.
            self._client.name_is_stale(repository.id)
            found = await self._read(installation_id, repository, since)
        # One that is opened while the pages are read pushes another to the next page, where it comes again.
        return list({pull.number: pull.to_port() for pull in found}.values())

    async def _read(self, installation_id: int, repository: RepositoryName, since: datetime) -> list[ListedPull]:
        found: list[ListedPull] = []
        send = partial(self._client.as_installation, installation_id)
        async with aclosing(self._client.pages(send, operations.list_open_pulls(repository))) as pages:
            async for page in pages:
                pulls = decode(page, list[ListedPull])
                found += pulls
                if any(pull.created_at < since for pull in pulls):
                    break
        return found
