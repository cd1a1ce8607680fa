"""Commands that ask GitHub: doctor and sync, against the simulator over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from centralbot.entrypoints.cli.maintenance import leads_nowhere
from centralbot.entrypoints.setup import EVENTS
from github_simulator import Fault, FaultKind, Simulator, running
from tests.adapters.simulators import PRIVATE_KEY, SECRET, Receiver
from tests.entrypoints.commands import Cli, Result

PARTS = [
    "backend settings", "worker settings", "store", "schema", "clock", "service keys", "GitHub", "permissions",
    "events", "webhook URL", "sign-in", "GitHub clock",
]  # fmt: skip
WEBHOOK_URL = "http://127.0.0.1:9/webhooks/github"


@dataclass(frozen=True)
class Stage:
    """The command line, and the GitHub that it is pointed at."""

    cli: Cli
    simulator: Simulator
    settings: dict[str, str]

    async def run(self, *arguments: object, **settings: str) -> Result:
        """Run a command while the simulator goes on."""
        return await asyncio.to_thread(self.cli, *arguments, **{**self.settings, **settings})

    async def sync(self, *arguments: object) -> Any:
        result = await self.run("sync", "--json", *arguments)
        assert result.code == 0, result.err
        return result.json


@pytest.fixture
async def stage(cli: Cli) -> AsyncIterator[Stage]:
    """An App on ``octo-org`` (installation 7) with two repositories; nobody receives its webhooks."""
    simulator = Simulator(webhook_secret=SECRET, private_key_pem=PRIVATE_KEY, events=EVENTS)
    simulator.world.add_organization("octo-org", 101)
    simulator.world.install("octo-org", ["hello", "world"], id=7)
    async with running(simulator) as url:
        settings = {
            "CENTRALBOT_GITHUB_API_URL": url,
            "CENTRALBOT_GITHUB_APP_ID": str(simulator.app_id),
            "CENTRALBOT_GITHUB_APP_PRIVATE_KEY": PRIVATE_KEY,
            "CENTRALBOT_WRITE_INTERVAL_S": "0",
        }
        yield Stage(cli, simulator, settings)


async def repositories(stage: Stage) -> list[tuple[str, int, bool]]:
    """Name, installation and whether it is connected, as the store has it."""
    listed = (await stage.run("repos", "list", "--json")).json
    return [(one["full_name"], one["installation_id"], one["connected"]) for one in listed]


async def test_a_doctor_checks_every_part(stage: Stage) -> None:
    """Nothing failed where all is well; what is not set is said as skipped."""
    stage.simulator.deliverer.url = WEBHOOK_URL
    result = await stage.run("doctor", "--json")
    assert result.code == 0, result.out
    assert [check["name"] for check in result.json] == PARTS
    skipped = {check["name"]: check["message"] for check in result.json if check["status"] == "skipped"}
    assert set(skipped) == {"worker settings", "service keys", "sign-in"}
    assert skipped["worker settings"].startswith("set CENTRALBOT_BOT_KEY_ID to check this: ")
    lines = (await stage.run("doctor")).out.splitlines()
    assert [line.split("  ")[0].strip() for line in lines].count("ok") == len(PARTS) - len(skipped)


async def test_a_doctor_finds_what_the_app_lacks(stage: Stage) -> None:
    """Permissions and events, each on its line."""
    simulator = Simulator(
        webhook_secret=SECRET,
        webhook_url=WEBHOOK_URL,
        private_key_pem=PRIVATE_KEY,
        permissions={"pull_requests": "read"},
        events=(),
    )
    async with running(simulator) as url:
        result = await stage.run("doctor", "--json", CENTRALBOT_GITHUB_API_URL=url)
    failed = {check["name"]: check["message"] for check in result.json if check["status"] == "failed"}
    assert (result.code, set(failed)) == (1, {"permissions", "events"})
    assert failed["permissions"].startswith("the App lacks pull_requests: write, metadata: read;")
    assert failed["events"].startswith("the App does not get pull_request, repository;")


async def test_a_doctor_finds_wrong_credentials(stage: Stage) -> None:
    """It names the variables to look at."""
    result = await stage.run("doctor", CENTRALBOT_GITHUB_APP_ID="999999")
    assert (result.code, "CENTRALBOT_GITHUB_APP_ID" in result.out, result.err) == (1, True, "")


@pytest.mark.parametrize(
    ("key_id", "secret", "status", "said"),
    [
        ("bot", "its secret", "ok", "the worker's among them"),
        ("bot", "another", "failed", "CENTRALBOT_BOT_SECRET is not the secret of key 'bot'"),
        ("tob", "its secret", "failed", "CENTRALBOT_BOT_KEY_ID names no active key"),
    ],
)
async def test_a_doctor_compares_the_workers_key(
    stage: Stage, key_id: str, secret: str, status: str, said: str
) -> None:
    """A wrong one would be a 403 at every claim."""
    await stage.run("keys", "create", "--key-id", "bot", "--secret", "its secret")
    result = await stage.run("doctor", "--json", CENTRALBOT_BOT_KEY_ID=key_id, CENTRALBOT_BOT_SECRET=secret)
    (check,) = [check for check in result.json if check["name"] == "service keys"]
    assert (check["status"], said in check["message"], secret in check["message"]) == (status, True, False)


async def test_a_doctor_does_not_migrate(stage: Stage, empty_database: str) -> None:
    """It says what is pending."""
    result = await stage.run("doctor", CENTRALBOT_DATABASE_URL=empty_database)
    assert (result.code, "centralbot db migrate" in result.out) == (1, True)
    assert (await stage.run("db", "status", CENTRALBOT_DATABASE_URL=empty_database)).code == 1


async def test_a_doctor_without_a_store_goes_on(stage: Stage) -> None:
    """With what does not need it."""
    stage.simulator.deliverer.url = WEBHOOK_URL
    result = await stage.run("doctor", "--json", CENTRALBOT_DATABASE_URL="postgresql://127.0.0.1:9/x")
    failed = [check["name"] for check in result.json if check["status"] == "failed"]
    assert (result.code, failed, result.json[-1]["name"]) == (1, ["store"], "GitHub clock")


async def test_a_sync_brings_what_no_webhook_told(stage: Stage) -> None:
    """Installations with all their repositories; a second run changes nothing."""
    first, second = await stage.sync(), await stage.sync()
    assert (first["created"], first["repositories"], first["failures"]) == ([7], 2, [])
    assert await repositories(stage) == [("octo-org/hello", 7, True), ("octo-org/world", 7, True)]
    assert (second["created"], second["deleted"], second["repositories"]) == ([], [], 2)


async def test_a_sync_follows_a_suspension(stage: Stage) -> None:
    """There and back."""
    await stage.sync()
    stage.simulator.world.suspend(7)
    suspended = await stage.sync()
    during = await repositories(stage)
    stage.simulator.world.unsuspend(7)
    assert (suspended["suspended"], (await stage.sync())["unsuspended"]) == ([7], [7])
    assert [connected for _, _, connected in during] == [False, False]
    assert [connected for _, _, connected in await repositories(stage)] == [True, True]


async def test_a_sync_drops_what_left(stage: Stage) -> None:
    """A repository that is no longer listed, and an installation that GitHub no longer has."""
    stage.simulator.world.add_organization("other", 102)
    stage.simulator.world.install("other", ["gone"], id=8)
    await stage.sync()
    stage.simulator.world.remove_repositories(7, ["octo-org/world"])
    stage.simulator.world.uninstall(8)
    assert (await stage.sync())["deleted"] == [8]
    connected = [name for name, _, connected in await repositories(stage) if connected]
    assert connected == ["octo-org/hello"]


async def test_a_sync_refuses_another_apps_answer(stage: Stage) -> None:
    """Deletion is final: when GitHub lists none of ours, each has to be named."""
    await stage.sync()
    stage.simulator.world.uninstall(7)
    refused = await stage.run("sync")
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "CENTRALBOT_GITHUB_APP_ID" in refused.err
    assert (await stage.sync("--installation", 7))["deleted"] == [7]


async def test_a_sync_of_one_installation_leaves_the_others(stage: Stage) -> None:
    """And an installation that nobody knows is refused."""
    stage.simulator.world.add_organization("other", 102)
    stage.simulator.world.install("other", ["else"], id=8)
    assert (await stage.sync("--installation", 8))["created"] == [8]
    assert await repositories(stage) == [("other/else", 8, True)]
    assert (await stage.run("sync", "--installation", 9)).code == 1


async def test_a_sync_has_failed_deliveries_sent_again(stage: Stage) -> None:
    """Once each; those that came through are left alone."""
    async with Receiver().listening() as receiver:
        stage.simulator.deliverer.configure(url=receiver.url)
        stage.simulator.world.open_pull_request("octo-org/hello", "mona")
        await stage.simulator.deliverer.idle()
        receiver.status = 503
        stage.simulator.world.open_pull_request("octo-org/hello", "mona")
        await stage.simulator.deliverer.idle()
        before = len(receiver.got)
        receiver.status = 200
        report = await stage.sync()
        await stage.simulator.deliverer.idle()
        again = await stage.sync()
    failed_guid = receiver.got[before - 1][0]["X-GitHub-Delivery"]
    assert (report["redelivered"], again["redelivered"]) == ([failed_guid], [])
    assert [headers["X-GitHub-Delivery"] for headers, _ in receiver.got[before:]] == [failed_guid]


async def gated(stage: Stage, repository: str, mode: str = "enforce") -> int:
    """A repository that is gated, and a second that is over: GitHub tells times in whole seconds. Returns its id."""
    await stage.sync()
    repo_id = stage.simulator.world.repository(repository).id
    assert (await stage.run("repos", "set", repo_id, "--mode", mode)).code == 0
    await asyncio.sleep(1.1)
    return repo_id


async def test_a_sync_finds_open_pull_requests_without_a_check(stage: Stage) -> None:
    """Once each; those from before the gate are left alone, and a repository whose gate is off is not asked about."""
    world = stage.simulator.world
    world.open_pull_request("octo-org/hello", "early")
    await gated(stage, "octo-org/hello")
    world.open_pull_request("octo-org/world", "mona")
    for _ in range(2):
        world.open_pull_request("octo-org/hello", "mona")
    first, second = await stage.sync(), await stage.sync()
    challenges = (await stage.run("challenges", "list", "--json")).json
    asked = stage.simulator.requests.by_operation["pulls/list"]
    assert sorted(first["pull_requests_gated"]) == ["octo-org/hello#2", "octo-org/hello#3"]
    assert (first["pull_requests_left_alone"], second["pull_requests_left_alone"]) == (1, 1)
    assert (second["pull_requests"], second["pull_requests_gated"], asked) == (2, [], 2)
    assert sorted(one["pr_number"] for one in challenges) == [2, 3]


async def test_a_sync_looks_for_no_pull_requests_where_told_so(stage: Stage) -> None:
    """Nor at what is older than it should look back."""
    await gated(stage, "octo-org/hello")
    stage.simulator.world.open_pull_request("octo-org/hello", "mona")
    asked_before = stage.simulator.requests.by_operation["pulls/list"]
    without = await stage.sync("--no-pull-requests")
    asked = stage.simulator.requests.by_operation["pulls/list"] - asked_before
    short = await stage.sync("--since-days", 0)
    assert (asked, without["pull_requests"], without["pull_requests_left_alone"]) == (0, 0, 0)
    assert (short["pull_requests"], short["pull_requests_left_alone"]) == (0, 1)
    assert (await stage.run("sync", "--since-days", 31)).code == 2


async def test_a_sync_says_where_it_does_not_know_since_when_a_repository_is_gated(stage: Stage) -> None:
    """By default alone: nothing is asked, and what to do is said."""
    stage.simulator.world.open_pull_request("octo-org/hello", "mona")
    result = await stage.run("sync", CENTRALBOT_DEFAULT_MODE="enforce")
    assert (result.code, stage.simulator.requests.by_operation["pulls/list"]) == (0, 0)
    assert "repositories left alone   2" in result.out
    assert result.err.startswith("note: not known since when 2 repositories are gated: ")


@pytest.mark.parametrize(
    ("public_url", "api_url", "refused"),
    [
        ("http://127.0.0.1:8080", "https://api.github.com", True),
        ("http://localhost", "https://github.example.org/api/v3", True),
        ("http://127.0.0.1:8080", "http://127.0.0.1:9000", False),
        ("https://gate.example.org", "https://api.github.com", False),
    ],
)
def test_a_sync_writes_no_links_that_lead_nowhere(public_url: str, api_url: str, refused: bool) -> None:
    """Whoever cannot reach the page cannot pass."""
    why = leads_nowhere(public_url, api_url) or ""
    assert ("CENTRALBOT_PUBLIC_URL" in why and public_url in why) is refused


async def test_a_sync_of_pull_requests_goes_on_after_a_refusal(stage: Stage) -> None:
    """One line for it, exit code 1; the other installation's are found."""
    stage.simulator.world.add_organization("other", 102)
    stage.simulator.world.install("other", ["else"], id=8)
    await gated(stage, "octo-org/hello")
    await gated(stage, "other/else")
    for repository in ("octo-org/hello", "other/else"):
        stage.simulator.world.open_pull_request(repository, "mona")
    limit = Fault(kind=FaultKind.SECONDARY_LIMIT, operation="pulls/list", count=1, installation_id=7)
    stage.simulator.faults.add(limit)
    result = await stage.run("sync", "--json")
    assert (result.code, result.json["pull_requests_gated"]) == (1, ["other/else#1"])
    assert result.err.startswith("error: pull requests of octo-org/hello: ")


async def test_a_sync_says_what_it_could_not_do(stage: Stage) -> None:
    """One line for GitHub's refusal, exit code 1."""
    result = await stage.run("sync", CENTRALBOT_GITHUB_APP_ID="999999")
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert "centralbot doctor" in result.err
