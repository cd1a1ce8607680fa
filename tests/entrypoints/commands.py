"""The console script as a process of its own, as an operator runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCRIPT = Path(sys.executable).with_name("centralbot")
SECRET_KEY = "secret-key-of-the-tests-32-characters"


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Started:
    """A command that runs. Its lines of stderr are kept as they come."""

    process: subprocess.Popen[str]
    errors: list[str] = field(default_factory=list)
    _said: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._said:
                self.errors.append(line)
                self._said.notify_all()

    def log(self, event: str, **fields: Any) -> dict[str, Any]:
        """The first log line with that event, and those fields, waited for."""
        wanted = {"event": event, **fields}

        def found() -> dict[str, Any] | None:
            lines = (json.loads(line) for line in self.errors if line.startswith("{"))
            return next((line for line in lines if wanted.items() <= line.items()), None)

        with self._said:
            line = self._said.wait_for(found, timeout=60)
        assert line is not None, self.errors
        return line

    def stop(self, name: signal.Signals = signal.SIGTERM) -> Result:
        """Send the signal and wait for the end."""
        self.process.send_signal(name)
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        return Result(self.process.wait(60), out, "".join(self.errors))


@dataclass(frozen=True)
class Cli:
    """Runs commands in a directory of their own, with these settings and no others."""

    directory: Path
    settings: dict[str, str]

    def environ(self, settings: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CENTRALBOT_")}
        return {**kept, "HOME": str(self.directory), **self.settings, **settings}

    def __call__(self, *arguments: object, **settings: str) -> Result:
        done = subprocess.run(
            [SCRIPT, *map(str, arguments)],
            cwd=self.directory,
            env=self.environ(settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def started(self, *arguments: object, **settings: str) -> Iterator[Started]:
        process = subprocess.Popen(
            [SCRIPT, *map(str, arguments)],
            cwd=self.directory,
            env=self.environ(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running = Started(process)
        reader = threading.Thread(target=running.read, daemon=True)
        reader.start()
        try:
            yield running
        finally:
            process.kill()
            process.wait()
            reader.join()
            for pipe in (process.stdout, process.stderr):
                assert pipe is not None
                pipe.close()
