"""Registering the App at GitHub: the one answer that holds all of its secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from centralbot.domain.errors import CentralbotError


class RegistrationRefused(CentralbotError):
    """GitHub does not know this code: it was used, is older than an hour, or was never given."""

    code = "REGISTRATION_REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredApp:
    """A GitHub App that was just made. ``webhook_secret`` is None for one without an active webhook."""

    id: int
    slug: str
    html_url: str
    client_id: str
    client_secret: str = field(repr=False)
    webhook_secret: str | None = field(repr=False)
    private_key_pem: str = field(repr=False)


class AppRegistration(Protocol):
    """The last step of GitHub's manifest flow.

    https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
    """

    async def convert(self, code: str) -> RegisteredApp:
        """The App for a code, which serves once within an hour. Raises RegistrationRefused, Unavailable."""
        ...
