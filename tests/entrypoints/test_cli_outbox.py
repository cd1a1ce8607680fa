"""Commands over challenges and actions that ingest has made."""

from __future__ import annotations

from uuid import uuid4

from centralbot.domain.challenge import Challenge
from centralbot.domain.outbox import Outcome
from tests.builders import AUTHOR, INSTALLATION, REPO
from tests.contracts.adapters import open_postgres
from tests.entrypoints.commands import Cli


async def challenged(dsn: str, *, fails: bool = False) -> Challenge:
    """A pull request with a pending challenge; ``fails``: its comment could not be posted."""
    async with open_postgres(dsn) as store:
        await store.connect(REPO)
        challenge = await store.challenged()
        if fails:
            (action,) = await store.claim()
            await store.settle(action, Outcome.FAILED, failure_code="LOCKED", failure_message="[red]no\x1b[0m")
        return challenge


async def test_actions_are_listed(cli: Cli, database: str) -> None:
    """With all that says what they are, and no text of a comment."""
    challenge = await challenged(database)
    (action,) = cli("actions", "list", "--json").json
    assert {name: action[name] for name in ("action_type", "status", "attempts", "repo_id", "pr_number")} == {
        "action_type": "UPSERT_PR_COMMENT",
        "status": "PENDING",
        "attempts": 0,
        "repo_id": REPO,
        "pr_number": 42,
    }
    assert (action["challenge_id"], action["installation_id"]) == (str(challenge.id), INSTALLATION)
    assert (action["created_at"].endswith("Z"), "markdown" in action) == (True, False)
    assert cli("actions", "list", "--status", "failed", "--json").json == []
    assert cli("actions", "list", "--limit", "1").out.count("\n") == 2


async def test_a_dead_action_shows_why_and_is_retried(cli: Cli, database: str) -> None:
    """Each id is reported; one that cannot be fails the command, the others are done."""
    await challenged(database, fails=True)
    (dead,) = cli("actions", "list", "--status", "FAILED", "--json").json
    assert (dead["failure_code"], dead["attempts"]) == ("LOCKED", 1)
    assert r"LOCKED: [red]no\x1b[0m" in cli("actions", "list").out
    missing = uuid4()
    result = cli("actions", "retry", missing, dead["id"], "--json")
    assert (result.code, [(one["id"], one["status"]) for one in result.json]) == (
        1,
        [(str(missing), None), (dead["id"], "PENDING")],
    )
    again = cli("actions", "retry", dead["id"])
    assert (again.code, again.out, again.err.count("\n")) == (1, "", 1)


async def test_what_was_overtaken_is_reported_and_the_others_are_retried(cli: Cli, database: str) -> None:
    """A close that no longer stands is one id of several, not the end of the command."""
    async with open_postgres(database) as store:
        await store.connect(REPO)
        challenge = await store.timed_out()
        (close,) = await store.claim()
        await store.settle(close, Outcome.FAILED)
        await store.verify(challenge)
    missing = uuid4()
    result = cli("actions", "retry", close.id, missing, "--json")
    assert (result.code, [one["id"] for one in result.json]) == (1, [str(close.id), str(missing)])


async def test_an_action_is_canceled(cli: Cli, database: str) -> None:
    """Once."""
    await challenged(database)
    (action,) = cli("actions", "list", "--json").json
    first, again = cli("actions", "cancel", action["id"]), cli("actions", "cancel", action["id"])
    assert (first.code, first.out) == (0, f"{action['id']}  CANCELED\n")
    assert (again.code, again.out, again.err.count("\n")) == (1, "", 1)


async def test_challenges_are_listed_and_shown(cli: Cli, database: str) -> None:
    """With their history."""
    challenge = await challenged(database)
    (listed,) = cli("challenges", "list", "--repo-id", REPO, "--status", "pending", "--json").json
    assert (listed["id"], listed["author_login"], listed["status"]) == (str(challenge.id), AUTHOR.login, "PENDING")
    assert cli("challenges", "list", "--repo-id", REPO + 1, "--json").json == []
    shown = cli("challenges", "show", challenge.id, "--json").json
    history = shown.pop("history")
    assert shown == listed
    assert [set(event) for event in history] == [{"at", "event", "actor", "detail"}]
    text = cli("challenges", "show", challenge.id).out
    assert ("author_login" in text, AUTHOR.login in text, history[0]["event"] in text) == (True, True, True)


async def test_a_challenge_is_exempted_once(cli: Cli, database: str) -> None:
    """Its comment says so; a second time there is nothing to exempt."""
    challenge = await challenged(database)
    first = cli("challenges", "exempt", challenge.id, "--json")
    assert (first.code, first.json["status"], first.json["reason"]) == (0, "EXEMPT", "MAINTAINER")
    cli("challenges", "exempt", challenge.id)
    shown = cli("challenges", "show", challenge.id, "--json").json
    assert shown["history"][-1]["actor"].startswith("operator:")
    missing = cli("challenges", "exempt", uuid4())
    assert (missing.code, missing.err.count("\n")) == (1, 1)


async def test_a_sweep_times_out_what_is_due(cli: Cli, database: str) -> None:
    """And says what it did, once."""
    async with open_postgres(database) as store:
        await store.connect(REPO)
        challenge = await store.noticed()
        await store.advance(challenge.window_s + 1)
    swept = cli("sweep", "--json")
    assert (swept.code, swept.out.count("\n"), swept.json["timed_out"]) == (0, 1, 1)
    assert set(swept.json) == {
        "timed_out", "exempt", "leases_returned", "actions_dead", "orphaned_canceled", "rows_pruned",
    }  # fmt: skip
    assert cli("sweep").out.startswith("timed out 0, exempt 0, ")
    (closing,) = cli("actions", "list", "--status", "pending", "--json").json
    assert closing["action_type"] == "CLOSE_PR_WITH_COMMENT"
