"""The App that ``centralbot setup`` registered: ``github-app.env`` and ``github-app.pem`` in the data directory.

What stands there counts where neither the environment nor ``.env`` says otherwise.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from centralbot.entrypoints.settings.backend import data_dir_of
from centralbot.entrypoints.settings.reader import SettingsError

FILE, KEY_FILE = "github-app.env", "github-app.pem"
APP_ID, PRIVATE_KEY = "CENTRALBOT_GITHUB_APP_ID", "CENTRALBOT_GITHUB_APP_PRIVATE_KEY"
CLIENT_ID, CLIENT_SECRET = "CENTRALBOT_GITHUB_CLIENT_ID", "CENTRALBOT_GITHUB_CLIENT_SECRET"
KEY_ID, KEY_SECRET = "CENTRALBOT_BOT_KEY_ID", "CENTRALBOT_BOT_SECRET"
APP_SLUG, WEBHOOK_URL = "CENTRALBOT_GITHUB_APP_SLUG", "CENTRALBOT_GITHUB_WEBHOOK_URL"
API_URL, WEB_URL = "CENTRALBOT_GITHUB_API_URL", "CENTRALBOT_GITHUB_WEB_URL"
DEFAULTS: Mapping[str, str] = {
    API_URL: "https://api.github.com",
    WEB_URL: "https://github.com",
    "CENTRALBOT_PUBLIC_URL": "http://127.0.0.1:8080",
}
"""What the file leaves out, because every reader has it anyway."""

_OF_THE_APP = (
    APP_ID, PRIVATE_KEY, CLIENT_ID, CLIENT_SECRET, APP_SLUG, WEBHOOK_URL, API_URL, WEB_URL,
    "CENTRALBOT_GITHUB_WEBHOOK_SECRET",
)  # fmt: skip
_TOGETHER: Mapping[str, tuple[str, ...]] = {
    APP_ID: _OF_THE_APP,
    API_URL: _OF_THE_APP,
    WEB_URL: _OF_THE_APP,
    CLIENT_ID: (CLIENT_SECRET,),
    KEY_ID: (KEY_SECRET,),
}
"""Who names another of the first has to name the rest too: halves of two Apps, or of two keys, make none."""

_PLAIN = re.compile(r"[A-Za-z0-9_.:/@%+=~,\[\]-]*")


def with_app_file(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` over what setup has written. Raises SettingsError for a file that cannot be read."""
    kept = read_app_file(data_dir_of(environ))
    given = {name: value for name, value in environ.items() if value.strip()}
    for leader, others in _TOGETHER.items():
        same = kept.get(leader, DEFAULTS.get(leader, "")).rstrip("/")
        if leader in given and given[leader].strip().rstrip("/") != same:
            kept = {name: value for name, value in kept.items() if name not in others}
    return {**environ, **{name: value for name, value in kept.items() if name not in given}}


def read_app_file(data_dir: Path) -> dict[str, str]:
    """What setup has written there, the key's path in full; nothing where it has not run."""
    path = data_dir / FILE
    try:
        values = dotenv_values(path, interpolate=False) if path.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, PermissionError) and not os.access(data_dir, os.X_OK):
            return {}  # somebody else's data directory: nothing in it is meant for us
        raise SettingsError(str(path), f"cannot be read: {error}; repair or remove it") from error
    found = {name: value for name, value in values.items() if value is not None}
    if PRIVATE_KEY in found:
        found[PRIVATE_KEY] = str(data_dir / found[PRIVATE_KEY])
    return found


def prepare_app_file(data_dir: Path, *, force: bool) -> None:
    """Make sure that the App can be written before GitHub makes it: secrets are shown once. Raises SettingsError."""
    path = data_dir / FILE
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and not force:
            raise SettingsError(str(path), "holds an App already; replace it with 'centralbot setup --force'")
        _private_draft(path, "").unlink()
    except OSError as error:
        raise SettingsError("CENTRALBOT_DATA_DIR", f"{data_dir} cannot be written: {error}; set another") from error


def write_app_file(data_dir: Path, values: Mapping[str, str], *, private_key_pem: str | None = None) -> Path:
    """Write both, readable by their owner alone; each appears whole. Without a key the present one stays.

    Raises OSError, and ValueError for a value that no such file can hold.
    """
    lines = [
        f"# The GitHub App of this centralbot. Secret. Written by 'centralbot setup'.\n{_line(PRIVATE_KEY, KEY_FILE)}"
    ]
    lines += [_line(name, value) for name, value in values.items() if name != PRIVATE_KEY]
    drafts = [] if private_key_pem is None else [(_private_draft(data_dir / KEY_FILE, private_key_pem), KEY_FILE)]
    drafts.append((_private_draft(data_dir / FILE, "\n".join(lines) + "\n"), FILE))
    for draft, name in drafts:
        draft.replace(data_dir / name)
    return data_dir / FILE


def _line(name: str, value: str) -> str:
    if not _PLAIN.fullmatch(value):
        raise ValueError(f"{name} has characters that are not expected of GitHub")
    return f"{name}={value}"


def _private_draft(path: Path, text: str) -> Path:
    """A file beside ``path`` with that text, on the disk, for its owner alone."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        if os.geteuid() == 0:  # root in a user's directory: that user has to be able to read it later
            owner = path.parent.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
    return draft
