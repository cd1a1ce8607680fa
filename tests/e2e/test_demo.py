"""The demo as a newcomer runs it: nothing set, nothing left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import httpx
import psutil
import pytest


@pytest.fixture
def start(open_dir_factory: Callable[[], Path]) -> Callable[..., tuple[subprocess.Popen[str], Path]]:
    """Start the demo with an empty home and a temporary directory of its own."""

    def start(*options: str) -> tuple[subprocess.Popen[str], Path]:
        directory = open_dir_factory()
        environ = {**os.environ, "HOME": str(directory / "home"), "TMPDIR": str(directory)}
        demo = subprocess.Popen(
            [sys.executable, "-m", "centralbot", "demo", *options],
            env={**environ, "CENTRALBOT_API_PORT": "not a port", "HTTP_PROXY": "http://127.0.0.1:9"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return demo, directory

    return start


def lines_until(stream: Iterable[str] | None, wanted: str) -> list[str]:
    """Read up to the line that holds ``wanted``."""
    lines: list[str] = []
    for line in stream or ():
        lines.append(line)
        if wanted in line:
            return lines
    raise AssertionError(f"no line with {wanted!r} in {lines}")


def everything_of(demo: subprocess.Popen[str], directory: Path) -> list[psutil.Process]:
    """All its processes, the database server included."""
    (place,) = directory.glob("centralbot-demo-*")
    server = int((place / "data/postgresql/data/postmaster.pid").read_text().splitlines()[0])
    return [*psutil.Process(demo.pid).children(recursive=True), psutil.Process(server)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; one that waits for its parent to ask for its exit code does not."""
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_the_demo_plays_its_story_stays_and_leaves_nothing(
    start: Callable[..., tuple[subprocess.Popen[str], Path]],
) -> None:
    """Every pull request ends as it should; the addresses that it prints answer."""
    demo, directory = start("--stay", "--json")
    with demo:
        said = "".join(lines_until(demo.stderr, "stays up until Ctrl-C"))
        answers = {httpx.get(url, trust_env=False).status_code for url in re.findall(r"http://\S+", said)}
        processes = everything_of(demo, directory)
        demo.send_signal(signal.SIGTERM)
        out, err = demo.communicate(timeout=60)
    report = json.loads(out)
    assert (demo.returncode, report["ok"], len(report["pull_requests"])) == (0, True, 6), err
    assert {answers.pop()} | answers == {200}
    assert (alive(processes), list(directory.iterdir())) == ([], [])


def test_a_demo_that_is_stopped_in_the_middle_leaves_nothing(
    start: Callable[..., tuple[subprocess.Popen[str], Path]],
) -> None:
    """Ctrl-C: no process and no file."""
    demo, directory = start()
    with demo:
        lines_until(demo.stdout, "pat opens kitchen#1")
        processes = everything_of(demo, directory)
        demo.send_signal(signal.SIGINT)
        _, err = demo.communicate(timeout=60)
    assert (demo.returncode, err) == (130, "stopped; nothing is left running\n")
    assert (alive(processes), list(directory.iterdir())) == ([], [])
