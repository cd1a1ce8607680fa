"""The operating system account that the server runs as. PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from centralbot.adapters.embedded_postgres.errors import EmbeddedPostgresError

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
