"""The port ``Installations`` over GitHub's REST API."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial

from centralbot.adapters.github import requests
from centralbot.adapters.github.client import GitHubClient
from centralbot.adapters.github.schemas import App, Delivery, HookConfig, Installation, RepositoryPage, decode
from centralbot.ports.github import AppInfo, InstallationInfo, RepositoryName, WebhookDelivery


class GitHubInstallations:
    """Asks as the App, and for the repositories as the installation itself."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client

    async def get_app(self) -> AppInfo:
        return decode(await self._client.as_app(requests.get_app()), App).to_port()

    async def webhook_url(self) -> str | None:
        """Where GitHub sends the App's webhooks; None when it has none. For the doctor, not of the port."""
        return decode(await self._client.as_app(requests.get_hook_config()), HookConfig).url

    async def list_installations(self) -> Sequence[InstallationInfo]:
        found: list[InstallationInfo] = []
        async for page in self._client.pages(self._client.as_app, requests.list_installations()):
            found += [installation.to_port() for installation in decode(page, list[Installation])]
        return found

    async def list_repositories(self, installation_id: int) -> Sequence[RepositoryName]:
        found: list[RepositoryName] = []
        send = partial(self._client.as_installation, installation_id)
        async for page in self._client.pages(send, requests.list_repositories()):
            found += decode(page, RepositoryPage).to_port()
        return found

    async def list_deliveries(self, *, since: datetime) -> Sequence[WebhookDelivery]:
        """GitHub cannot filter by time: pages, newest first, are read until one reaches back past ``since``."""
        found: list[WebhookDelivery] = []
        async with aclosing(self._client.pages(self._client.as_app, requests.list_deliveries())) as pages:
            async for page in pages:
                deliveries = [delivery.to_port() for delivery in decode(page, list[Delivery])]
                found += [delivery for delivery in deliveries if delivery.delivered_at >= since]
                if any(delivery.delivered_at < since for delivery in deliveries):
                    break
        return found

    async def redeliver(self, delivery_id: int) -> None:
        await self._client.as_app(requests.redeliver(delivery_id))
