"""Commands over the store: schema, keys, repositories, whitelists."""

from __future__ import annotations

import getpass
import os
import pty
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.entrypoints.commands import SCRIPT, SECRET_KEY, Cli

DEFAULTS = {
    "mode": "off",
    "draft_prs_gated": True,
    "window_s": 1800,
    "verification": ["github-login", "proof-of-work"],
    "exempt_associations": ["COLLABORATOR", "MEMBER", "OWNER"],
    "exempt_bots": True,
    "comment_on_exempt": True,
    "exempt_label": "centralbot:exempt",
    "exempt_permission": "write",
    "rules": "",
}


def test_the_schema_is_migrated_once(tmp_path: Path, empty_database: str) -> None:
    """Status fails until it is; a second run has nothing to do."""
    cli = Cli(tmp_path, {"CENTRALBOT_DATABASE_URL": empty_database})
    before = cli("db", "status", "--json")
    first = cli("db", "migrate", "--json").json
    again = cli("db", "migrate")
    after = cli("db", "status")
    assert (before.code, before.json["current"], after.code) == (1, None, 0)
    assert before.json["pending"] == first["applied"]
    assert (first["from"], first["to"]) == (None, before.json["head"])
    assert (again.code, again.out) == (0, f"schema {first['to']}: nothing to do\n")


def test_keys_are_made_listed_and_revoked(cli: Cli) -> None:
    """The secret is shown once."""
    made = cli("keys", "create", "--json").json
    given = cli("keys", "create", "--key-id", "mine", "--secret", "s" * 16, "--allow-unbound", "--json").json
    assert set(made) == {"key_id", "secret", "allow_unbound"}
    assert (len(made["secret"]) >= 32, made["allow_unbound"]) == (True, False)
    assert given == {"key_id": "mine", "secret": "s" * 16, "allow_unbound": True}
    assert cli("keys", "revoke", "mine").code == 0
    listed = cli("keys", "list", "--json")
    assert [(key["key_id"], key["allow_unbound"], key["revoked_at"] is None) for key in listed.json] == [
        (made["key_id"], False, True),
        ("mine", True, False),
    ]
    assert (made["secret"] in listed.out, "signing_key" in listed.out) == (False, False)


def test_a_key_is_shown_as_the_settings_to_make(cli: Cli) -> None:
    """Aligned text off a terminal; the remark goes to stderr."""
    result = cli("keys", "create", "--key-id", "bot-1", "--secret", "a-secret-of-sixteen-or-more")
    assert result.out == (
        "CENTRALBOT_BOT_KEY_ID  bot-1\nCENTRALBOT_BOT_SECRET  a-secret-of-sixteen-or-more\n"
    )  # fmt: skip
    assert "not shown again" in result.err


def test_a_taken_or_unknown_key_is_refused(cli: Cli) -> None:
    """One line, exit code 1."""
    cli("keys", "create", "--key-id", "bot-1")
    taken, unknown = cli("keys", "create", "--key-id", "bot-1"), cli("keys", "revoke", "bot-2")
    assert (taken.code, taken.err) == (1, "error: key_id: 'bot-1' is taken; choose another id\n")
    assert (unknown.code, unknown.out, unknown.err.count("\n")) == (1, "", 1)


def test_keys_of_another_secret_key_name_the_variable(cli: Cli) -> None:
    """They cannot be read."""
    cli("keys", "create")
    result = cli("keys", "list", CENTRALBOT_SECRET_KEY="another" + SECRET_KEY)
    assert (result.code, "CENTRALBOT_SECRET_KEY" in result.err) == (1, True)


def test_a_repository_is_configured_step_by_step(cli: Cli, tmp_path: Path) -> None:
    """Only what is given changes; the first time it starts from the defaults of the settings."""
    rules = tmp_path / "rules.txt"
    rules.write_text("Be kind.\n")
    first = cli("repos", "set", 999, "--mode", "enforce", "--no-gate-drafts", "--json", CENTRALBOT_WINDOW_S="600").json
    assert first["config"] == {**DEFAULTS, "mode": "enforce", "window_s": 600, "draft_prs_gated": False}
    assert (first["repo_id"], first["configured"], first["connected"]) == (999, True, False)
    second = cli(
        "repos", "set", 999, "--window-s", 120, "--verification", "attestation", "--exempt-association", "MEMBER",
        "--exempt-association", "OWNER", "--no-exempt-bots", "--no-comment-on-exempt", "--exempt-label", "let in",
        "--exempt-permission", "maintain", "--rules-file", rules, "--json",
    ).json  # fmt: skip
    assert second["config"] == {
        "mode": "enforce",
        "draft_prs_gated": False,
        "window_s": 120,
        "verification": ["attestation"],
        "exempt_associations": ["MEMBER", "OWNER"],
        "exempt_bots": False,
        "comment_on_exempt": False,
        "exempt_label": "let in",
        "exempt_permission": "maintain",
        "rules": "Be kind.",
    }
    third = cli("repos", "set", 999, "--no-exempt-associations", "--gate-drafts", "--json").json
    assert (third["config"]["exempt_associations"], third["config"]["draft_prs_gated"]) == ([], True)
    assert cli("repos", "show", 999, "--json").json == third


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("x" * 51, "a label of GitHub has at most 50 characters"),
        ("a\tb", "a label of GitHub is one line without space around it"),
        ("a\x1b[31m", "a label of GitHub is one line without space around it"),
        ("a\u0085b", "a label of GitHub is one line without space around it"),
        ("a\udcffb", "not valid text"),
    ],
)
def test_a_label_that_cannot_be_is_refused(bare_cli: Cli, label: str, problem: str) -> None:
    """As the API refuses it, before a store is opened; the option is named."""
    result = bare_cli("repos", "set", 999, "--exempt-label", label)
    assert (result.code, result.out) == (2, "")
    assert f"'--exempt-label': {problem}" in result.err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"x" * 4001, "at most 4000 characters; these are 4001"),
        (b"Be kind.\x07", "control characters are not allowed"),
        (b"Be kind.\x1b[31m Or else.", "control characters are not allowed"),
        (b"Be\0kind.", "control characters are not allowed"),
    ],
)
def test_rules_that_cannot_be_are_refused(bare_cli: Cli, tmp_path: Path, text: bytes, problem: str) -> None:
    """As the API refuses them."""
    rules = tmp_path / "rules.txt"
    rules.write_bytes(text)
    result = bare_cli("repos", "set", 999, "--rules-file", rules)
    assert (result.code, "--rules-file" in result.err, problem in result.err) == (2, True, True)


def test_lines_and_tabs_in_rules_are_kept(cli: Cli, tmp_path: Path) -> None:
    """Of any system; space around all of it is left out, as around a label."""
    rules = tmp_path / "rules.txt"
    rules.write_bytes(b"\n\tBe kind.\r\n- always\n\n")
    config = cli("repos", "set", 999, "--rules-file", rules, "--exempt-label", " let in ", "--json").json["config"]
    assert (config["rules"], config["exempt_label"]) == ("Be kind.\n- always", "let in")


def test_a_repository_is_connected_by_an_operators_word(cli: Cli) -> None:
    """Without a configuration of its own it has the defaults."""
    shown = cli("repos", "set", 5, "--installation-id", 7, "--full-name", "org/repo", "--json").json
    assert shown == {
        "repo_id": 5,
        "full_name": "org/repo",
        "installation_id": 7,
        "installation_status": "ACTIVE",
        "account_login": None,
        "account_type": None,
        "connected": True,
        "configured": False,
        "config": DEFAULTS,
        "gated_since": None,
    }
    assert cli("repos", "list", "--json").json == [shown]
    assert cli("repos", "list").out.splitlines() == [
        "REPO ID  NAME      INSTALLATION  CONNECTED  MODE  WINDOW (S)",
        "5        org/repo  7             yes        off   1800",
    ]
    moved = cli("repos", "set", 5, "--installation-id", 8, "--mode", "shadow", "--json").json
    assert (moved["installation_id"], moved["full_name"], moved["config"]["mode"]) == (8, "org/repo", "shadow")


def test_a_repository_that_nobody_knows_is_named(cli: Cli) -> None:
    """Showing it fails; connecting it lacks its name."""
    shown, nameless = cli("repos", "show", 5), cli("repos", "set", 5, "--installation-id", 7)
    assert (shown.code, shown.err.count("\n")) == (1, 1)
    assert (nameless.code, "--full-name" in nameless.err) == (2, True)
    assert cli("repos", "list", "--json").json == []


@pytest.mark.parametrize("arguments", ["repos set 5 --mode shadow", "whitelist add 5 1001 alice"])
def test_what_is_set_for_a_repository_that_nobody_knows_says_so(cli: Cli, arguments: str) -> None:
    """It may be set before the App is installed; an id may also be mistyped."""
    early = cli(*arguments.split(), "--json")
    cli("repos", "set", 5, "--installation-id", 7, "--full-name", "org/repo")
    known = cli(*arguments.split(), "--json")
    assert (early.code, early.json["repo_id"], early.err.count("\n")) == (0, 5, 1)
    assert early.err.startswith("note: repository 5 is in no installation ")
    assert (known.code, known.err) == (0, "")


def test_a_repository_that_is_known_is_meant_by_its_name(cli: Cli) -> None:
    """In any case, as on GitHub; an unknown name fails with the way to its id."""
    cli("repos", "set", 5, "--installation-id", 7, "--full-name", "org/repo")
    assert cli("repos", "set", "Org/Repo", "--mode", "shadow", "--json").json["repo_id"] == 5
    assert cli("repos", "show", "org/repo", "--json").json["config"]["mode"] == "shadow"
    assert cli("whitelist", "add", "org/repo", 1001, "alice", "--json").json["repo_id"] == 5
    assert [entry["github_login"] for entry in cli("whitelist", "list", "org/repo", "--json").json] == ["alice"]
    assert cli("whitelist", "remove", "org/repo", 1001).out == "1001 is off the whitelist of repository 5\n"
    unknown = cli("repos", "set", "org/other", "--mode", "enforce")
    assert (unknown.code, unknown.out, unknown.err.count("\n")) == (1, "", 1)
    assert "gh api repos/org/other --jq .id" in unknown.err


def test_of_two_repositories_of_one_name_neither_is_guessed(cli: Cli) -> None:
    """Their ids are told."""
    cli("repos", "set", 5, "--installation-id", 7, "--full-name", "org/repo")
    cli("repos", "set", 6, "--installation-id", 7, "--full-name", "org/repo")
    both = cli("repos", "show", "org/repo")
    assert (both.code, both.err.endswith("give the id of one: 5, 6\n")) == (1, True)


def test_names_from_outside_cannot_forge_output(cli: Cli) -> None:
    """No control character of theirs reaches a terminal."""
    cli("repos", "set", 5, "--installation-id", 7, "--full-name", "org/\x1b[31mred\nfake\u202e")
    result = cli("repos", "list")
    assert (len(result.out.splitlines()), "\x1b" in result.out, "\u202e" in result.out) == (2, False, False)
    assert r"org/\x1b[31mred\nfake\u202e" in result.out


def on_terminal(cli: Cli, *arguments: str, columns: int = 80) -> str:
    """What a terminal of so many columns gets."""
    ours, theirs = pty.openpty()
    try:
        environ = cli.environ({"COLUMNS": str(columns)})
        subprocess.run([SCRIPT, *arguments], cwd=cli.directory, env=environ, stdout=theirs, check=True)
        return os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_terminal_that_is_too_narrow_gets_a_field_a_line(cli: Cli) -> None:
    """Whole values: an id that is cut cannot be copied."""
    cli("repos", "set", 5, "--installation-id", 7, "--full-name", "organization/repository")
    cli("repos", "set", 6)
    wide, narrow = (on_terminal(cli, "repos", "list", columns=columns) for columns in (200, 60))
    assert ("─" in wide, "─" in narrow) == (True, False)
    assert narrow.splitlines()[:2] == ["repo id       5", "name          organization/repository"]


def test_a_terminal_gets_a_table_without_markup_of_others(cli: Cli) -> None:
    """Brackets in a name stay brackets."""
    cli("repos", "set", 5, "--installation-id", 7, "--full-name", "org/[red]x[/red]")
    shown = on_terminal(cli, "repos", "list")
    assert ("org/[red]x[/red]" in shown, "─" in shown) == (True, True)


def test_the_whitelist_is_kept(cli: Cli) -> None:
    """By immutable id; the login is refreshed."""
    assert cli("whitelist", "list", 999, "--json").json == []
    cli("whitelist", "add", 999, 1001, "alice")
    cli("whitelist", "add", 999, 1001, "alice-renamed")
    (entry,) = cli("whitelist", "list", 999, "--json").json
    assert (entry["github_user_id"], entry["github_login"]) == (1001, "alice-renamed")
    assert cli("whitelist", "remove", 999, 1001, "--json").json["removed"] is True
    gone = cli("whitelist", "remove", 999, 1001)
    assert (gone.code, gone.err.count("\n")) == (1, 1)


def test_the_audit_names_the_operator(cli: Cli) -> None:
    """By the account that ran the command."""
    cli("whitelist", "add", 999, 1001, "alice")
    with psycopg.connect(cli.settings["CENTRALBOT_DATABASE_URL"]) as connection:
        actors = connection.execute("SELECT actor FROM audit_events").fetchall()
    assert actors == [(f"operator:{getpass.getuser()}",)]
