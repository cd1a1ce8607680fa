"""Processes of ours: started with their output in files, watched by what they say there, stopped without a rest."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from centralbot.domain.errors import CentralbotError

T = TypeVar("T")

POLL_S = 0.05
STOP_S = 12.0
"""Every process promises to end within 10 s of SIGTERM."""


class DemoError(CentralbotError):
    """A process or a step of the story did not do what it should."""

    code = "DEMO"


class Child:
    """One ``centralbot`` command as a process: ``<name>.out`` holds its output, ``<name>.log`` its log."""

    def __init__(self, name: str, arguments: tuple[str, ...], environ: Mapping[str, str], directory: Path) -> None:
        self.name = name
        self._out, self._log = directory / f"{name}.out", directory / f"{name}.log"
        # Settings of the caller's must not get in, and a proxy has no way to our loopback.
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("CENTRALBOT_") and not key.lower().endswith("_proxy")
        }
        work = directory / f"{name}.cwd"
        work.mkdir(mode=0o700, exist_ok=True)
        with self._out.open("wb") as out, self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "centralbot", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cwd=work,  # empty: no .env of the caller's gets in
                env={**kept, "CENTRALBOT_LOG_FORMAT": "json", **environ},
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop them in order
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def printed(self) -> list[str]:
        """Whole lines of its output so far."""
        return _lines(self._out)

    def logged(self, event: str) -> dict[str, Any] | None:
        """The first line of its log with this event."""
        for line in _lines(self._log):
            if line.startswith("{"):
                entry = json.loads(line)
                if entry.get("event") == event:
                    return dict(entry)
        return None

    async def told(self, find: Callable[[Child], T | None], *, within_s: float) -> T:
        """Wait for ``find`` to find something. Raises DemoError when the process ends first or time is up."""
        give_up_s = time.monotonic() + within_s
        while True:
            code = self.code
            found = find(self)
            if found is not None:
                return found
            if code is not None:
                raise DemoError(f"{self.name} ended with exit code {code} before it was ready; its log says why")
            if time.monotonic() > give_up_s:
                raise DemoError(f"{self.name} was not ready within {within_s:g} s; its log may say why")
            await asyncio.sleep(POLL_S)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; to one that has ended, nothing."""
        self._process.send_signal(number)

    async def ended(self, *, within_s: float = STOP_S) -> int:
        """Wait for its end, then kill it; the exit code."""
        give_up_s = time.monotonic() + within_s
        while (code := self.code) is None:
            if time.monotonic() > give_up_s:
                self._process.kill()
                return self._process.wait()
            await asyncio.sleep(POLL_S)
        return code

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and wait for the end."""
        self.send(number)
        return await self.ended()

    def tail(self, lines: int = 15) -> list[str]:
        """The end of its log."""
        return self._log.read_text("utf-8", "replace").splitlines()[-lines:]


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8", "replace").splitlines(keepends=True) if line.endswith("\n")]
