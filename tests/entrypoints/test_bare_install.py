"""``pip install centralbot`` without extras: the domain, the ports, and a command that says what it lacks."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

import centralbot

SOURCE = Path(centralbot.__file__).parent.parent
PROJECT = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text("utf-8"))["project"]
MISSING = "error: 'typer' is not installed, which the commands need: pip install 'centralbot[server]'\n"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with centralbot and no library at all."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=False)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "centralbot.pth").write_text(f"{SOURCE}\n")
    return home / "bin" / "python"


def ended(*command: str | Path) -> tuple[int, str, str]:
    done = subprocess.run([*command], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_nothing_else_is_installed_without_an_extra() -> None:
    """Whoever runs the processes names the extra ``server``, which the embedded store brings along."""
    extras = PROJECT["optional-dependencies"]
    assert (PROJECT["dependencies"], "litestar" in extras["server"]) == ([], True)
    assert extras["embedded"][0] == "centralbot[server]"


@pytest.mark.parametrize("package", ["domain", "ports", "ports.use_cases"])
def test_the_domain_and_the_ports_can_be_imported(python: Path, package: str) -> None:
    """Every module of them is, in the domain's own tests."""
    assert ended(python, "-I", "-c", f"import centralbot.{package}") == (0, "", "")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["serve-api"]])
def test_the_command_says_what_to_install(python: Path, arguments: list[str]) -> None:
    """As a module and as the console script: one line, no traceback."""
    module, _, function = PROJECT["scripts"]["centralbot"].partition(":")
    script = f"from {module} import {function}; {function}()"
    assert ended(python, "-I", "-c", script, *arguments) == (1, "", MISSING)
    assert ended(python, "-I", "-m", "centralbot", *arguments) == (1, "", MISSING)


def test_a_library_that_only_a_command_needs_is_missed_the_same_way(tmp_path: Path) -> None:
    """The commands import the heavy ones when they run."""
    without_psycopg = "import sys; sys.modules['psycopg'] = None; from centralbot.entrypoints.cli import main; main()"
    environ = {"CENTRALBOT_DATABASE_URL": "postgresql://127.0.0.1:1/x", "CENTRALBOT_SECRET_KEY": "k" * 32}
    done = subprocess.run(
        [sys.executable, "-c", without_psycopg, "keys", "list"],
        capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path, env=environ,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (1, "", MISSING.replace("typer", "psycopg"))
