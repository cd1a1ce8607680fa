"""``centralbot setup`` as a process, a browser, and the simulated GitHub between them."""

from __future__ import annotations

import asyncio
import html
import json
import re
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from github_simulator import Simulator, running
from tests.adapters.simulators import PRIVATE_KEY, SECRET
from tests.entrypoints.commands import Cli, Started

FORM = {
    "name": "Our Gate",
    "org": "octo-org",
    "public_url": "http://127.0.0.1:8080",
    "webhook_url": "http://127.0.0.1:3000/webhooks/github",
}


@dataclass(frozen=True)
class Stage:
    """The command line in a directory of its own, and a GitHub."""

    cli: Cli
    simulator: Simulator
    settings: dict[str, str]

    @property
    def data(self) -> Path:
        return Path(self.settings["CENTRALBOT_DATA_DIR"])

    @contextmanager
    def setup(self, *arguments: str) -> Iterator[Started]:
        with self.cli.started("setup", "--no-browser", "--json", *arguments, **self.settings) as process:
            yield process

    async def run(self, *arguments: object, **settings: str) -> Any:
        return await asyncio.to_thread(self.cli, *arguments, **{**self.settings, **settings})


@pytest.fixture
async def stage(cli: Cli) -> AsyncIterator[Stage]:
    simulator = Simulator(webhook_secret=SECRET, private_key_pem=PRIVATE_KEY)
    simulator.world.add_organization("octo-org", 101)
    async with running(simulator) as url:
        settings = {
            "CENTRALBOT_GITHUB_API_URL": url,
            "CENTRALBOT_GITHUB_WEB_URL": url,
            "CENTRALBOT_DATA_DIR": str(cli.directory / "data"),
        }
        yield Stage(cli, simulator, settings)


async def line_of(process: Started) -> Any:
    assert process.process.stdout is not None
    return json.loads(await asyncio.to_thread(process.process.stdout.readline))


@asynccontextmanager
async def a_browser() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=20) as client:
        yield client


async def to_github(browser: httpx.AsyncClient, url: str, **changes: str) -> tuple[str, str]:
    """Fill the form in. Returns where the manifest goes, and the manifest."""
    page = await browser.post(url, data={**FORM, **changes})
    assert page.status_code == 201 or page.status_code == 200, page.text
    action = re.search(r'<form method="post" action="(http[^"]*)"', page.text)
    manifest = re.search(r'name="manifest" value="([^"]*)"', page.text)
    assert action is not None
    assert manifest is not None
    origin = "/".join(action[1].split("/")[:3])
    assert f"form-action {origin};" in page.headers["content-security-policy"]
    return html.unescape(action[1]), html.unescape(manifest[1])


async def confirmed(browser: httpx.AsyncClient, action: str, manifest: str) -> str:
    """Press the button on GitHub's page. Returns where the browser is sent."""
    answer = await browser.post(action, data={"manifest": manifest, "name": "Our Gate", "create": "1"})
    return str(answer.headers["location"])


async def test_an_app_is_registered_and_everything_finds_it(stage: Stage) -> None:
    """Form, GitHub, back; then doctor is content without a single setting of the App, and nothing secret was said."""
    with stage.setup("--org", "octo-org") as process:
        url = (await line_of(process))["url"]
        async with a_browser() as browser:
            first = await browser.get(url)
            back = await confirmed(browser, *await to_github(browser, url))
            done = await browser.get(back)
            last = await browser.get(url + "finished")
            again = await browser.get(back)
        made = await line_of(process)
        code = await asyncio.to_thread(process.process.wait, 20)
        said = "".join(process.errors)
    kept = dict(line.split("=", 1) for line in (stage.data / "github-app.env").read_text().splitlines() if "=" in line)
    simulator = stage.simulator
    assert (first.status_code, done.status_code, last.status_code, again.status_code, code) == (200, 303, 200, 403, 0)
    assert (made["slug"], made["app_id"], kept["CENTRALBOT_GITHUB_APP_ID"]) == (
        "our-gate", simulator.app_id, str(simulator.app_id),
    )  # fmt: skip
    assert made["install_url"] == f"{simulator.base_url}/apps/our-gate/installations/new"
    assert kept["CENTRALBOT_GITHUB_CLIENT_SECRET"] == simulator.client_secret
    assert kept["CENTRALBOT_GITHUB_WEBHOOK_SECRET"] == simulator.deliverer.secret
    secrets = [simulator.client_secret, simulator.deliverer.secret, kept["CENTRALBOT_BOT_SECRET"], "PRIVATE KEY"]
    assert [one for one in secrets if one in f"{said}{made}{last.text}{done.text}"] == []
    modes = [stat.S_IMODE((stage.data / name).stat().st_mode) for name in ("github-app.env", "github-app.pem")]
    assert (modes, [one.name for one in stage.data.iterdir() if one.name.startswith(".github")]) == ([0o600] * 2, [])
    doctor = await stage.run("doctor", "--json")
    checks = {check["name"]: check["status"] for check in doctor.json}
    assert (doctor.code, {name for name, status in checks.items() if status != "ok"}) == (0, set()), doctor.out
    assert {"webhook URL", "sign-in", "service keys", "worker settings"} <= set(checks)


async def test_an_app_that_is_there_is_not_replaced_by_accident(stage: Stage) -> None:
    """Only with --force; the worker's key stays."""
    first = await register(stage)
    refused = await stage.run("setup", "--no-browser")
    second = await register(stage, "--force")
    assert (refused.code, "--force" in refused.err, refused.out) == (2, True, "")
    assert first["CENTRALBOT_GITHUB_CLIENT_ID"] != second["CENTRALBOT_GITHUB_CLIENT_ID"]
    assert first["CENTRALBOT_BOT_SECRET"] == second["CENTRALBOT_BOT_SECRET"]


async def register(stage: Stage, *arguments: str) -> dict[str, str]:
    with stage.setup(*arguments) as process:
        url = (await line_of(process))["url"]
        async with a_browser() as browser:
            await browser.get(await confirmed(browser, *await to_github(browser, url)))
        assert await asyncio.to_thread(process.process.wait, 20) == 0
    lines = (stage.data / "github-app.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


async def test_a_foreign_state_changes_nothing(stage: Stage) -> None:
    """Nor does a wrong path; the setup goes on waiting, and a signal ends it."""
    with stage.setup() as process:
        url = (await line_of(process))["url"]
        async with a_browser() as browser:
            forged = await browser.get(f"{url}done?code=abc&state=forged")
            nobodys = await browser.get("/".join(url.split("/")[:3]) + "/other/done?code=abc&state=forged")
            goes_on = await browser.get(url)
        result = await asyncio.to_thread(process.stop)
    assert (forged.status_code, nobodys.status_code, goes_on.status_code) == (403, 404, 200)
    assert (result.code, (stage.data / "github-app.env").exists()) == (130, False)


async def test_a_code_that_github_does_not_know_ends_the_setup(stage: Stage) -> None:
    """With one line that says what to do, and nothing written."""
    with stage.setup() as process:
        url = (await line_of(process))["url"]
        async with a_browser() as browser:
            action, _ = await to_github(browser, url)
            state = action.partition("state=")[2]
            failed = await browser.get(f"{url}done?code=unknown&state={state}")
        code = await asyncio.to_thread(process.process.wait, 20)
        said = "".join(process.errors)
    assert (failed.status_code, code, (stage.data / "github-app.env").exists()) == (502, 1, False)
    assert said.splitlines()[-1] == (
        "error: GitHub does not know the code (any more): it serves once, within an hour; run 'centralbot setup' again"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "name of 1 to 34 characters"),
        ({"name": "x" * 35}, "name of 1 to 34 characters"),
        ({"org": "../x"}, "login as in its address"),
        ({"public_url": "javascript:alert(1)"}, "address such as"),
        ({"webhook_url": 'http://a/"><script>'}, "address such as"),
    ],
)
async def test_mistakes_are_said_beside_their_fields(stage: Stage, changes: dict[str, str], words: str) -> None:
    """And what was typed stays, as text."""
    with stage.setup() as process:
        url = (await line_of(process))["url"]
        async with a_browser() as browser:
            page = await browser.post(url, data={**FORM, **changes})
    assert (page.status_code, words in page.text, "<script>" in page.text) == (422, True, False)
    assert 'aria-invalid="true"' in page.text


async def test_the_real_github_cannot_reach_loopback(stage: Stage) -> None:
    """So the first page asks for another address, and takes no such one."""
    real = {"CENTRALBOT_GITHUB_API_URL": "", "CENTRALBOT_GITHUB_WEB_URL": ""}
    elsewhere = Stage(stage.cli, stage.simulator, {**stage.settings, **real})
    with elsewhere.setup() as process:
        url = (await line_of(process))["url"]
        async with a_browser() as browser:
            first = await browser.get(url)
            refused = await browser.post(url, data=FORM)
            action, manifest = await to_github(browser, url, webhook_url="https://gate.example.org/webhooks/github")
    assert ('name="webhook_url" value=""' in first.text, refused.status_code) == (True, 422)
    assert "GitHub cannot reach this machine" in refused.text
    assert action.startswith("https://github.com/organizations/octo-org/settings/apps/new?state=")
    described = json.loads(manifest)
    assert (described["default_permissions"], described["default_events"], described["public"]) == (
        {"pull_requests": "write", "metadata": "read"}, ["pull_request", "repository"], False,
    )  # fmt: skip
    assert described["callback_urls"] == ["http://127.0.0.1:8080/api/v1/auth/github/callback"]


async def test_the_doctor_finds_a_wrong_client_and_webhook(stage: Stage) -> None:
    """Another App's client id, a wrong secret, and a webhook that leads elsewhere."""
    await register(stage)
    stage.simulator.deliverer.url = "http://127.0.0.1:3000/elsewhere"
    client = {"CENTRALBOT_GITHUB_CLIENT_ID": stage.simulator.client_id, "CENTRALBOT_GITHUB_CLIENT_SECRET": "wrong"}
    found = []
    for settings in (client, {**client, "CENTRALBOT_GITHUB_CLIENT_ID": "Iv1.other"}):
        result = await stage.run("doctor", "--json", **settings)
        found.append({check["name"]: check["message"] for check in result.json if check["status"] == "failed"})
    assert [set(one) for one in found] == [{"webhook URL", "sign-in"}] * 2
    assert "incorrect_client_credentials" in found[0]["sign-in"]
    assert "another App's" in found[1]["sign-in"]
    assert "setup asked for http://127.0.0.1:3000/webhooks/github" in found[0]["webhook URL"]
