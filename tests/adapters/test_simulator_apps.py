"""Registering an App by a manifest, installing it, and what changed on a pull request for the people's side."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import jwt
import pytest

from github_simulator.rendering import render_markdown
from tests.adapters.browsers import a_browser, query_of
from tests.adapters.simulators import MANIFEST, a_registration, a_simulator, served


async def test_an_app_is_registered_from_its_manifest() -> None:
    """The page, the button, the code; the conversion takes the place of the simulator's App."""
    simulator = a_simulator()
    async with served(simulator) as client, a_browser(client.base) as browser:
        address = "/organizations/octo-org/settings/apps/new?state=abc"
        page = await browser.post(address, data={"manifest": json.dumps(MANIFEST)})
        hidden = re.search(r'name="manifest" value="([^"]*)"', page.text)
        assert hidden is not None
        form = {"manifest": html.unescape(hidden[1]), "name": "Other Name", "create": "1"}
        back = query_of((await browser.post(address, data=form)).headers["location"])
        old = client.app_jwt()
        status, made = await client.call("POST", f"/app-manifests/{back['code']}/conversions")
        again, _ = await client.call("POST", f"/app-manifests/{back['code']}/conversions")
        claims = {"iat": 1, "exp": 2, "iss": made["client_id"]}
        new = jwt.encode(claims | _times(client.app_jwt()), made["pem"], "RS256")
        refused, _ = await client.call("GET", "/app", old)
        _, shown = await client.call("GET", "/app", new)
        hook = await browser.get("/app/hook/config", headers={"Authorization": f"Bearer {new}"})
    assert ("Create GitHub App for octo-org" in page.text, back["state"], back["kept"]) == (True, "abc", "1")
    assert (status, again, refused) == (201, 404, 401)
    assert (made["name"], made["slug"], made["owner"]["login"]) == ("Other Name", "other-name", "octo-org")
    assert (shown["id"], shown["client_id"]) == (made["id"], made["client_id"])
    assert (shown["permissions"], shown["events"]) == (
        {"metadata": "read", "pull_requests": "write"}, ["pull_request", "repository"],
    )  # fmt: skip
    assert (hook.json()["url"], hook.json()["secret"]) == ("http://127.0.0.1:3000/webhooks/github", "********")
    assert simulator.deliverer.secret == made["webhook_secret"]


def _times(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return {name: claims[name] for name in ("iat", "exp")}


async def test_a_registration_waits_for_an_hour() -> None:
    """Later its code is unknown; without an active webhook there is no secret."""
    now = [1_800_000_000.0]
    simulator = a_simulator(clock=lambda: now[0])
    async with served(simulator) as client:
        late = a_registration(simulator)
        now[0] += 3600
        statuses = [(await client.call("POST", f"/app-manifests/{late}/conversions"))[0]]
        quiet = a_registration(simulator, hook_attributes={"url": "http://127.0.0.1/", "active": False})
        status, made = await client.call("POST", f"/app-manifests/{quiet}/conversions")
    assert (statuses, status, made["webhook_secret"], simulator.deliverer.url) == ([404], 201, None, None)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", json.dumps({**MANIFEST, "url": "javascript:alert(1)"}), json.dumps({**MANIFEST, "name": ""})],
)
async def test_a_wrong_manifest_is_told_to_the_person(text: str) -> None:
    """422, and nobody is sent anywhere."""
    async with served(a_simulator()) as client, a_browser(client.base) as browser:
        answer = await browser.post("/settings/apps/new?state=s", data={"manifest": text, "create": "1"})
    assert (answer.status_code, "location" in answer.headers) == (422, False)


async def test_a_new_app_is_installed_from_its_page() -> None:
    """All repositories of the account, a webhook, and on to the setup URL."""
    simulator = a_simulator()
    async with served(simulator) as client, a_browser(client.base) as browser:
        await client.call("POST", f"/app-manifests/{a_registration(simulator)}/conversions")
        page = await browser.get("/apps/gate-keeper/installations/new")
        answer = await browser.post("/apps/gate-keeper/installations/new", data={"account": "mona"})
    installation = simulator.world.installed_on[simulator.world.account("mona").id]
    assert ("octo-org: installed" in page.text, "Install on mona" in page.text) == (True, True)
    expected = f"http://127.0.0.1:8080/?installation_id={installation.id}&setup_action=install"
    assert (answer.headers["location"], installation.selection) == (expected, "all")


async def test_a_pull_request_whose_branch_was_rewritten_stays_closed() -> None:
    """A force push after the close is 422 with GitHub's words; one before it does no harm."""
    simulator = a_simulator()
    async with served(simulator) as client:
        token, path = await client.token(), "/repos/octo-org/hello/pulls/1"
        statuses = []
        for _ in range(2):
            simulator.world.force_push("octo-org/hello", 1)
            statuses += [(await client.call("PATCH", path, token, {"state": state}))[0] for state in ("closed", "open")]
            simulator.world.close_pull_request("octo-org/hello", 1)
        status, refused = await client.call("PATCH", path, token, {"state": "open"})
    assert (statuses, status) == ([200, 200, 200, 422], 422)
    assert "force-pushed" in refused["errors"][0]["message"]


async def test_a_comments_link_can_be_clicked() -> None:
    """From the bot's words to the gate."""
    simulator = a_simulator()
    body = "**[Verify this pull request](http://127.0.0.1:8080/g/abc)**\n\n<!-- centralbot:gate:1 -->"
    simulator.world.add_comment("octo-org/hello", 1, "centralbot[bot]", body, via_app=True)
    async with served(simulator) as client, a_browser(client.base) as browser:
        page = (await browser.get("/octo-org/hello/pull/1")).text
    link = '<a href="http://127.0.0.1:8080/g/abc" rel="nofollow">Verify this pull request</a>'
    assert (link in page, "centralbot:gate" in page) == (True, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("### One *step*", "<h3>One *step*</h3>"),
        ("Hi `<b>`, see http://x.example/a?b=1&c=2.", '<p>Hi <code>&lt;b&gt;</code>, see <a href="http://x.example/a?'
         'b=1&amp;c=2" rel="nofollow">http://x.example/a?b=1&amp;c=2</a>.</p>'),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ('[<i>](http://a/"onmouseover="x)', "<p>[&lt;i&gt;](http://a/&quot;onmouseover=&quot;x)</p>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("`[a](http://b)`", "<p><code>[a](http://b)</code></p>"),
    ],
)  # fmt: skip
def test_markdown_cannot_inject(text: str, expected: str) -> None:
    """Only our own tags come out."""
    assert expected == str(render_markdown(text))
