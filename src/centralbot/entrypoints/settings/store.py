"""Where the state is, and the key that protects what is secret in it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from centralbot.entrypoints.settings.reader import Reader, SettingsError

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
