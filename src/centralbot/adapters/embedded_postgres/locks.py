"""Who may start and stop the server, and who still uses it: two advisory file locks in the data directory.

The kernel drops a lock with its process, so a killed one leaves nothing stale behind; process ids in a file would,
and they are reused.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from centralbot.adapters.embedded_postgres.errors import EmbeddedPostgresError

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
