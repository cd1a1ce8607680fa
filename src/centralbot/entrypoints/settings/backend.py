"""What the backend's processes need beside the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from centralbot.entrypoints.settings.reader import Reader

LONGEST_WINDOW_S = 30 * 24 * 3600
HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Where ``serve-api`` listens. Port 0 is any free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """The gate where a repository says nothing; ``public_url`` is what contributors' links begin with."""

    public_url: str
    window_s: int
    default_mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSettings:
    """How long a claim holds an action, in seconds, and how many claims it gets."""

    lease_s: int
    max_attempts: int


def base_url(host: str, port: int) -> str:
    """The address of a server that listens there; one of IPv6 stands in brackets (RFC 3986, 3.2.2)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def load_api_settings(environ: Mapping[str, str]) -> ApiSettings:
    """Raises SettingsError."""
    reader = Reader(environ)
    return ApiSettings(
        host=reader.host("CENTRALBOT_API_HOST", "127.0.0.1"),
        port=reader.integer("CENTRALBOT_API_PORT", 8080, 0, HIGHEST_PORT),
    )


def load_gate_settings(environ: Mapping[str, str]) -> GateSettings:
    """Raises SettingsError."""
    reader = Reader(environ)
    return GateSettings(
        public_url=reader.origin("CENTRALBOT_PUBLIC_URL", "http://127.0.0.1:8080"),
        window_s=reader.integer("CENTRALBOT_WINDOW_S", 1800, 1, LONGEST_WINDOW_S),
        default_mode=reader.choice("CENTRALBOT_DEFAULT_MODE", "off", ("off", "shadow", "enforce")),
    )


def load_outbox_settings(environ: Mapping[str, str]) -> OutboxSettings:
    """Raises SettingsError."""
    reader = Reader(environ)
    return OutboxSettings(
        lease_s=reader.integer("CENTRALBOT_LEASE_S", 60, 1, 3600),
        max_attempts=reader.integer("CENTRALBOT_MAX_ATTEMPTS", 12, 1, 1000),
    )
