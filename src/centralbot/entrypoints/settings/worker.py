"""What the worker needs: the backend, GitHub's webhook secrets and the App's credentials."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from centralbot.entrypoints.settings.backend import HIGHEST_PORT, base_url
from centralbot.entrypoints.settings.reader import Reader, SettingsError

PRIVATE_KEY = "CENTRALBOT_GITHUB_APP_PRIVATE_KEY"
WEBHOOK_SECRET = "CENTRALBOT_GITHUB_WEBHOOK_SECRET"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubAppSettings:
    """How to reach GitHub as the App. ``write_interval_s`` is the pause between two writes of one installation."""

    app_id: str
    private_key_pem: str = field(repr=False)
    api_url: str
    web_url: str
    write_interval_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Where the worker listens, whom it forwards to, how it claims. ``webhook_secrets``: two while rotating."""

    host: str
    port: int
    backend_url: str
    bot_key_id: str
    bot_secret: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    worker_id: str
    claim_limit: int
    max_in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTarget:
    """A running worker, and what GitHub signs with."""

    url: str
    secret: str = field(repr=False)


def load_webhook_target(environ: Mapping[str, str]) -> WebhookTarget:
    """For sending to the worker that these settings would start. Raises SettingsError."""
    return WebhookTarget(url=load_worker_url(environ), secret=_webhook_secrets(Reader(environ))[0])


def load_worker_url(environ: Mapping[str, str]) -> str:
    """Where the worker that these settings would start is reached on this machine. Raises SettingsError."""
    reader = Reader(environ)
    host = reader.host("CENTRALBOT_WORKER_HOST", "127.0.0.1")
    port = reader.integer("CENTRALBOT_WORKER_PORT", 3000, 0, HIGHEST_PORT)
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - the reverse of binding to all
    return base_url(reached, port)


def load_worker_settings(environ: Mapping[str, str]) -> WorkerSettings:
    """Raises SettingsError."""
    reader = Reader(environ)
    made_by = "make a key with 'centralbot keys create' and set both values that it shows"
    bot_key_id = reader.required("CENTRALBOT_BOT_KEY_ID", made_by)
    worker_id = reader.text("CENTRALBOT_WORKER_ID") or f"{socket.gethostname()[:100]}-{secrets.token_hex(4)}"
    shape = "1 to 128 visible ASCII characters"
    return WorkerSettings(
        host=reader.host("CENTRALBOT_WORKER_HOST", "127.0.0.1"),
        port=reader.integer("CENTRALBOT_WORKER_PORT", 3000, 0, HIGHEST_PORT),
        backend_url=reader.url("CENTRALBOT_BACKEND_URL", "http://127.0.0.1:8080"),
        bot_key_id=reader.matching("CENTRALBOT_BOT_KEY_ID", r"[!-~]{1,128}", bot_key_id, shape),
        bot_secret=reader.required("CENTRALBOT_BOT_SECRET", made_by),
        webhook_secrets=_webhook_secrets(reader),
        worker_id=reader.matching("CENTRALBOT_WORKER_ID", r"[!-~]{1,128}", worker_id, shape),
        claim_limit=reader.integer("CENTRALBOT_CLAIM_LIMIT", 25, 1, 100),
        max_in_flight=reader.integer("CENTRALBOT_MAX_IN_FLIGHT", 200, 1, 10000),
    )


def load_github_app_settings(environ: Mapping[str, str]) -> GitHubAppSettings:
    """Raises SettingsError."""
    reader = Reader(environ)
    app_id = reader.required("CENTRALBOT_GITHUB_APP_ID", "copy the App ID from the App's settings page on GitHub")
    return GitHubAppSettings(
        app_id=reader.matching("CENTRALBOT_GITHUB_APP_ID", r"[A-Za-z0-9._-]{1,100}", app_id, "a number, the App ID"),
        private_key_pem=_private_key(reader),
        api_url=reader.url("CENTRALBOT_GITHUB_API_URL", "https://api.github.com"),
        web_url=reader.url("CENTRALBOT_GITHUB_WEB_URL", "https://github.com"),
        write_interval_s=reader.number("CENTRALBOT_WRITE_INTERVAL_S", 1.0, 0.0, 60.0),
    )


def _webhook_secrets(reader: Reader) -> tuple[str, ...]:
    text = reader.required(WEBHOOK_SECRET, "set it to the webhook secret on the App's settings page on GitHub")
    values = tuple(part.strip() for part in text.split(","))
    if len(values) > 2 or not all(values):
        raise SettingsError(
            WEBHOOK_SECRET, "expected one secret, or two separated by a comma while rotating; correct it"
        )
    return values


def _private_key(reader: Reader) -> str:
    """The key as PEM; also with ``\\n`` in place of line breaks, as one-line variables have it; or from a file."""
    generated = "generate a private key on the App's settings page on GitHub and give the file's path or its text"
    value = reader.required(PRIVATE_KEY, generated)
    if "-----BEGIN" not in value:
        try:
            value = Path(value).expanduser().read_text(encoding="ascii")
        except (OSError, ValueError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text file"
            raise SettingsError(
                PRIVATE_KEY, f"neither PEM text nor a file that can be read ({reason}); {generated}"
            ) from None
    pem = value.replace("\\n", "\n").strip() + "\n"
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise SettingsError(
            PRIVATE_KEY,
            f"is not an unencrypted RSA private key in PEM, in .env in quotes or on one line with \\n; {generated}",
        )
    return pem
