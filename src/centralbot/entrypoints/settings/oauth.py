"""Sign-in with GitHub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from centralbot.entrypoints.settings.reader import Reader, SettingsError

CALLBACK_PATH = "/api/v1/auth/github/callback"
"""Where GitHub sends the browser back, under the public URL; the App must have it registered."""
CLIENT_ID = "CENTRALBOT_GITHUB_CLIENT_ID"
CLIENT_SECRET = "CENTRALBOT_GITHUB_CLIENT_SECRET"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSettings:
    """The App's OAuth client."""

    client_id: str
    client_secret: str = field(repr=False)
    api_url: str
    web_url: str
    public_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The people's side. ``oauth`` is None where sign-in is off.

    ``trusted_proxies``: whose ``X-Forwarded-For`` is believed, as uvicorn's FORWARDED_ALLOW_IPS has it.
    """

    public_url: str
    api_url: str
    web_url: str
    oauth: OAuthSettings | None
    trusted_proxies: str = "127.0.0.1"


def load_web_settings(environ: Mapping[str, str]) -> WebSettings:
    """Raises SettingsError."""
    reader = Reader(environ)
    return WebSettings(
        public_url=reader.origin("CENTRALBOT_PUBLIC_URL", "http://127.0.0.1:8080"),
        api_url=reader.url("CENTRALBOT_GITHUB_API_URL", "https://api.github.com"),
        web_url=reader.url("CENTRALBOT_GITHUB_WEB_URL", "https://github.com"),
        oauth=load_oauth_settings(environ),
        trusted_proxies=reader.text("FORWARDED_ALLOW_IPS") or "127.0.0.1",
    )


def load_oauth_settings(environ: Mapping[str, str]) -> OAuthSettings | None:
    """None when neither value is set: sign-in is off. One of the two alone is a mistake. Raises SettingsError."""
    reader = Reader(environ)
    client_id, client_secret = reader.text(CLIENT_ID), reader.text(CLIENT_SECRET)
    if client_id is None and client_secret is None:
        return None
    if client_id is None or client_secret is None:
        missing, present = (CLIENT_ID, CLIENT_SECRET) if client_id is None else (CLIENT_SECRET, CLIENT_ID)
        raise SettingsError(missing, f"is not set, and {present} is; set both to turn sign-in on, or neither")
    return OAuthSettings(
        client_id=client_id,
        client_secret=client_secret,
        api_url=reader.url("CENTRALBOT_GITHUB_API_URL", "https://api.github.com"),
        web_url=reader.url("CENTRALBOT_GITHUB_WEB_URL", "https://github.com"),
        public_url=reader.origin("CENTRALBOT_PUBLIC_URL", "http://127.0.0.1:8080"),
    )
