"""Settings of the backend: store, outbox, gate, API, sign-in, logs."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import platformdirs

from centralbot.domain.config import MAX_WINDOW_S, MIN_WINDOW_S, Mode, RepoConfig
from centralbot.entrypoints.settings.reader import Reader, SettingsError

Format = Literal["json", "console"]
Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """For ``configure_logging``."""

    format: Format
    level: Level


def load_log_settings(environ: Mapping[str, str], *, terminal: bool) -> LogSettings:
    """``terminal``: whether a person reads along. Raises SettingsError."""
    reader = Reader(environ)
    form = reader.choice("CENTRALBOT_LOG_FORMAT", "console" if terminal else "json", ("json", "console"))
    level = reader.choice("CENTRALBOT_LOG_LEVEL", "info", ("debug", "info", "warning", "error"))
    return LogSettings(format=cast(Format, form), level=cast(Level, level))


SECRET_KEY = "CENTRALBOT_SECRET_KEY"  # noqa: S105 - a name
SHORTEST_SECRET_KEY = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """``database_url`` is any libpq connection string; None means the embedded server under ``data_dir``."""

    database_url: str | None = field(repr=False)
    data_dir: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings(DatabaseSettings):
    """The database with ``secret_key``, under which service keys are encrypted and gate links are made."""

    secret_key: str = field(repr=False)


def load_database_settings(environ: Mapping[str, str]) -> DatabaseSettings:
    """For what needs no secrets: the schema. Makes nothing. Raises SettingsError."""
    return DatabaseSettings(database_url=_database_url(Reader(environ)), data_dir=data_dir_of(environ))


def data_dir_of(environ: Mapping[str, str]) -> Path:
    """Where state and generated keys are. Raises SettingsError."""
    given = Reader(environ).text("CENTRALBOT_DATA_DIR")
    data_dir = Path(given) if given else Path(platformdirs.user_data_dir("centralbot", appauthor=False))
    try:
        return data_dir.expanduser().absolute()
    except RuntimeError as error:
        raise SettingsError("CENTRALBOT_DATA_DIR", f"{error}; write the directory in full") from error


def load_store_settings(environ: Mapping[str, str]) -> StoreSettings:
    """For everything else. With the embedded store a missing key is made in its directory. Raises SettingsError."""
    base = load_database_settings(environ)
    key = Reader(environ).text(SECRET_KEY)
    if key is None and base.database_url is not None:
        raise SettingsError(
            SECRET_KEY, f"is not set, and CENTRALBOT_DATABASE_URL is; set it to {SHORTEST_SECRET_KEY} or more random "
            f"characters, the same for every process: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )  # fmt: skip
    if key is None:
        key = _kept_key(base.data_dir)
    if len(key) < SHORTEST_SECRET_KEY:
        raise SettingsError(
            SECRET_KEY, f"has {len(key)} characters; use at least {SHORTEST_SECRET_KEY}, chosen at random"
        )
    return StoreSettings(database_url=base.database_url, data_dir=base.data_dir, secret_key=key)


def _database_url(reader: Reader) -> str | None:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    url = reader.text("CENTRALBOT_DATABASE_URL")
    if url is not None:
        try:
            conninfo_to_dict(url)
        except ProgrammingError:  # its text may show the password
            raise SettingsError(
                "CENTRALBOT_DATABASE_URL",
                "is not a PostgreSQL connection string; write postgresql://user:password@host:5432/database, or unset "
                "it to use the embedded server",
            ) from None
    return url


def _kept_key(data_dir: Path) -> str:
    """The key in the data directory. Of several processes that find none, one makes it and all read the same."""
    path = data_dir / "secret-key"
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make_key(path)
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            SECRET_KEY, f"is not set, and {path} cannot be used: {error}; set it, or set CENTRALBOT_DATA_DIR to a "
            f"directory that you can write"
        ) from error  # fmt: skip


def _make_key(path: Path) -> None:
    draft = path.with_name(f".secret-key-{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_urlsafe(48)}\n")
            file.flush()
            os.fsync(file.fileno())
            if os.geteuid() == 0:  # root in a user's directory: that user has to be able to read it later
                owner = path.parent.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        os.link(draft, path)  # appears whole, and fails where another process was faster
    except FileExistsError:
        pass
    finally:
        draft.unlink()


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
    reader, plain = Reader(environ), RepoConfig()
    return GateSettings(
        public_url=reader.origin("CENTRALBOT_PUBLIC_URL", "http://127.0.0.1:8080"),
        window_s=reader.integer("CENTRALBOT_WINDOW_S", plain.window_s, MIN_WINDOW_S, MAX_WINDOW_S),
        default_mode=reader.choice("CENTRALBOT_DEFAULT_MODE", plain.mode.value, tuple(it.value for it in Mode)),
    )


def load_outbox_settings(environ: Mapping[str, str]) -> OutboxSettings:
    """Raises SettingsError."""
    reader = Reader(environ)
    return OutboxSettings(
        lease_s=reader.integer("CENTRALBOT_LEASE_S", 60, 1, 3600),
        max_attempts=reader.integer("CENTRALBOT_MAX_ATTEMPTS", 12, 1, 1000),
    )


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
