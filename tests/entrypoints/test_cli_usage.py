"""The command line as such: help, wrong usage, wrong settings."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.entrypoints.commands import SCRIPT, SECRET_KEY, Cli

COMMANDS = {
    "serve-api", "serve-worker", "sweep", "doctor", "sync", "replay", "db", "keys", "repos", "whitelist", "actions",
    "challenges", "docs",
}  # fmt: skip


def test_help_lists_every_command(bare_cli: Cli) -> None:
    """Contract section 9."""
    result = bare_cli("--help")
    listed = set(re.findall(r"^  ([a-z-]+)  ", result.out, re.MULTILINE))
    assert (result.code, COMMANDS - listed, result.err) == (0, set(), "")


@pytest.mark.parametrize("arguments", ["", "db", "keys", "repos", "whitelist", "actions", "challenges", "docs"])
@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_no_summary_is_cut(bare_cli: Cli, arguments: str, columns: str) -> None:
    """On a terminal of any width."""
    result = bare_cli(*arguments.split(), "--help", COLUMNS=columns)
    assert (result.code, "..." in result.out.replace("[ARGS]...", "")) == (0, False)
    assert max(map(len, result.out.splitlines())) <= int(columns)


@pytest.mark.parametrize("group", ["db", "keys", "repos", "whitelist", "actions", "challenges", "docs"])
def test_a_group_alone_shows_its_help_as_wrong_usage(bare_cli: Cli, group: str) -> None:
    """On stderr: nothing was asked for."""
    result = bare_cli(group)
    assert (result.code, result.out, result.err.startswith(f"Usage: centralbot {group}")) == (2, "", True)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("nope", "nope"),
        ("keys create --secret=", "--secret"),
        ("keys create --key-id ü", "--key-id"),
        ("repos show 0", "REPO_ID"),
        ("repos show 9223372036854775808", "REPO_ID"),
        ("repos show acme", "REPO_ID"),
        ("repos show acme/widget/more", "REPO_ID"),
        ("repos set 1 --mode strict", "--mode"),
        ("repos set 1 --installation-id 7 --full-name widget", "--full-name"),
        ("repos set 1 --window-s 0", "--window-s"),
        ("repos set 1 --verification magic", "--verification"),
        ("repos set 1 --exempt-association MEMBER --no-exempt-associations", "--no-exempt-associations"),
        ("whitelist add 1 2 @octocat", "LOGIN"),
        ("actions list --status LOST", "--status"),
        ("actions retry 42", "ID"),
        ("challenges show 42", "ID"),
        ("sweep --interval-s 0", "--interval-s"),
        ("replay missing.json --event ping", "FILE"),
        ("docs diagrams --check --write", "--check"),
    ],
)
def test_wrong_usage_is_one_line_that_names_it(bare_cli: Cli, arguments: str, named: str) -> None:
    """With exit code 2."""
    result = bare_cli(*arguments.split())
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert named in result.err


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ("serve-api", "CENTRALBOT_API_PORT", "http"),
        ("serve-api", "CENTRALBOT_LEASE_S", "0"),
        ("serve-worker", "CENTRALBOT_BOT_KEY_ID", ""),
        ("keys list", "CENTRALBOT_DATABASE_URL", "mysql://localhost"),
        ("keys list", "CENTRALBOT_SECRET_KEY", "short"),
        ("keys list", "CENTRALBOT_LOG_LEVEL", "loud"),
        ("sweep", "CENTRALBOT_WINDOW_S", "soon"),
        ("db status", "CENTRALBOT_DATABASE_URL", "mysql://localhost"),
        ("sync", "CENTRALBOT_GITHUB_APP_ID", ""),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_the_variable(
    bare_cli: Cli, arguments: str, name: str, value: str
) -> None:
    """With exit code 2, before anything is touched."""
    result = bare_cli(*arguments.split(), **{name: value})
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith(f"error: {name}: ")
    assert list(bare_cli.directory.iterdir()) == []


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_fault(bare_cli: Cli, closed: str) -> None:
    """As under a supervisor that keeps none."""
    line = f'"$0" docs diagrams --check --path "$1" {closed}; echo $?'
    paths = [SCRIPT, Path(__file__).parents[2] / "docs/states.md"]
    done = subprocess.run(
        ["sh", "-c", line, *paths], cwd=bare_cli.directory, env=bare_cli.environ({}), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert (done.stdout.splitlines()[-1], done.stderr) == ("0", "")


def test_a_doctor_makes_no_store(bare_cli: Cli) -> None:
    """A worker's machine needs none; where there shall be one, the line says what makes it."""
    result = bare_cli("doctor", CENTRALBOT_DATA_DIR=str(bare_cli.directory / "data"))
    (store,) = [line for line in result.out.splitlines() if " store " in line]
    assert (result.code, store.startswith("skipped")) == (0, True)
    assert list(bare_cli.directory.iterdir()) == []


def test_settings_come_from_the_env_file_too(bare_cli: Cli) -> None:
    """Of the working directory."""
    (bare_cli.directory / ".env").write_text("CENTRALBOT_API_PORT=http\n")
    result = bare_cli("serve-api")
    assert (result.code, result.err.startswith("error: CENTRALBOT_API_PORT: ")) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        "serve-api", "serve-worker", "sweep", "sweep --watch", "sync", "doctor", "setup", "simulator", "db status",
        "keys list", "repos list", "whitelist list 1", "actions list", "challenges list",
        f"replay {__file__} --event ping",
    ],
)  # fmt: skip
def test_a_misspelt_setting_is_warned_of_once(bare_cli: Cli, arguments: str) -> None:
    """With the nearest name and without its value, however the command ends then."""
    (bare_cli.directory / ".env").write_text("CENTRALBOT_SECRT_KEY=a-secret-value-misplaced\n")
    wrong = {
        "CENTRALBOT_DATABASE_URL": "postgresql://127.0.0.1:9/x",
        "CENTRALBOT_SECRET_KEY": SECRET_KEY,
        "CENTRALBOT_GITHUB_API_URL": "http://127.0.0.1:9",
        "CENTRALBOT_GITHUB_APP_PRIVATE_KEY": "none",
    }
    result = bare_cli(*arguments.split(), **wrong)
    said = [line for line in result.err.splitlines() if "CENTRALBOT_SECRT_KEY" in line]
    assert (len(said), "did you mean CENTRALBOT_SECRET_KEY?" in said[0]) == (1, True)
    assert "misplaced" not in result.out + result.err


@pytest.mark.parametrize("arguments", ["serve-api", "keys list", "db migrate", "sweep", "sweep --watch"])
def test_an_unreachable_database_is_one_line(bare_cli: Cli, arguments: str) -> None:
    """With exit code 1: the settings are well-formed."""
    settings = {"CENTRALBOT_DATABASE_URL": "postgresql://u:pw@127.0.0.1:9/x", "CENTRALBOT_SECRET_KEY": SECRET_KEY}
    result = bare_cli(*arguments.split(), **settings)
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert result.err.startswith("error: PostgreSQL does not answer: ")
    assert "CENTRALBOT_DATABASE_URL" in result.err
    assert "pw" not in result.err


def test_the_docs_diagrams_are_up_to_date(bare_cli: Cli) -> None:
    """docs/states.md is what the tables say."""
    root = Path(__file__).parents[2]
    assert (root / "docs/states.md").read_text(encoding="utf-8") == bare_cli("docs", "diagrams").out


def test_diagrams_are_checked_and_written(bare_cli: Cli) -> None:
    """A file that is missing or stale fails the check, with what to do."""
    file = bare_cli.directory / "states.md"
    assert bare_cli("docs", "diagrams", "--check", "--path", file).code == 1
    assert bare_cli("docs", "diagrams", "--write", "--path", file).code == 0
    assert bare_cli("docs", "diagrams", "--check", "--path", file).code == 0
    file.write_text(file.read_text() + "more\n")
    stale = bare_cli("docs", "diagrams", "--check", "--path", file)
    assert (stale.code, "docs diagrams --write" in stale.err) == (1, True)
