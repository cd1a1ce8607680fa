"""The simulated REST API treats callers as GitHub does."""

from __future__ import annotations

import time
from typing import Any

import pytest

from github_simulator import Simulator
from tests.adapters.simulators import a_simulator, served

COMMENTS = "/repos/octo-org/hello/issues/1/comments"
PULL = "/repos/octo-org/hello/pulls/1"


@pytest.mark.parametrize(
    "changes",
    [{"iss": "999"}, {"exp": int(time.time()) + 4000}, {"exp": 1}, {"iat": int(time.time()) + 600}, {"iat": "x"}],
)
async def test_a_wrong_jwt_is_401(changes: dict[str, Any]) -> None:
    """Issuer, expiry and issue time are checked."""
    async with served(a_simulator()) as client:
        assert (await client.call("GET", "/app", client.app_jwt(**changes)))[0] == 401


async def test_the_client_id_is_an_issuer_too() -> None:
    """GitHub recommends it over the App id."""
    simulator = a_simulator()
    async with served(simulator) as client:
        assert (await client.call("GET", "/app", client.app_jwt(iss=simulator.client_id)))[0] == 200


async def test_tokens_are_checked_and_confined_to_their_installation() -> None:
    """A forged token is 401; somebody else's repository, or one outside the token, is 404."""
    simulator = a_simulator()
    simulator.world.install("other", ["secret"], id=8)
    async with served(simulator) as client:
        token, narrow = await client.token(), await client.token(repositories=["world"])
        answers = [
            await client.call("GET", PULL, "ghs_forged"),
            await client.call("GET", "/repos/other/secret", token),
            await client.call("GET", PULL, narrow),
            await client.call("GET", "/app", token),
            await client.call("POST", COMMENTS, None, {"body": "x"}),
        ]
        assert len(token) > 500
    assert [status for status, _ in answers] == [401, 404, 404, 401, 401]


async def test_an_expired_token_is_401() -> None:
    """A token lives for an hour of the simulator's clock."""
    ahead = [0.0]
    simulator = a_simulator(clock=lambda: time.time() + ahead[0])
    async with served(simulator) as client:
        token = await client.token()
        ahead[0] = 3601
        assert (await client.call("GET", PULL, token))[0] == 401


async def test_a_missing_permission_is_403_and_named_in_a_header() -> None:
    """X-Accepted-GitHub-Permissions tells what would do."""
    simulator = a_simulator()
    async with served(simulator) as client:
        token = await client.token()
        simulator.world.set_permissions(7, {"metadata": "read", "pull_requests": "read"})
        status, body = await client.call("POST", COMMENTS, token, {"body": "x"})
        assert (status, body["message"]) == (403, "Resource not accessible by integration")
        assert client.headers["x-accepted-github-permissions"] == "issues=write; pull_requests=write"


def _suspended(simulator: Simulator) -> None:
    simulator.world.suspend(7)


def _uninstalled(simulator: Simulator) -> None:
    simulator.world.uninstall(7)


@pytest.mark.parametrize(("act", "at_mint", "with_token"), [(_suspended, 403, 403), (_uninstalled, 404, 401)])
async def test_a_lost_installation_mints_no_token(act: Any, at_mint: int, with_token: int) -> None:
    """Suspended is 403, deleted is 404; tokens from before die as well."""
    simulator = a_simulator()
    async with served(simulator) as client:
        token = await client.token()
        act(simulator)
        minted, _ = await client.call("POST", "/app/installations/7/access_tokens", client.app_jwt())
        assert (at_mint, with_token) == (minted, (await client.call("GET", PULL, token))[0])


async def test_comments_are_the_bots_and_come_in_pages() -> None:
    """Ascending by id, with Link headers to the neighbours."""
    simulator = a_simulator()
    for number in range(250):
        simulator.world.add_comment("octo-org/hello", 1, "mona", f"number {number}")
    async with served(simulator) as client:
        token = await client.token()
        _, made = await client.call("POST", COMMENTS, token, {"body": "from the bot"})
        assert ("centralbot[bot]", "Bot", simulator.bot_user_id, simulator.app_id) == (
            made["user"]["login"],
            made["user"]["type"],
            made["user"]["id"],
            made["performed_via_github_app"]["id"],
        )
        seen, pages, path = [], 0, f"{COMMENTS}?per_page=100"
        while path:
            _, page = await client.call("GET", path, token)
            seen += [comment["id"] for comment in page]
            pages += 1
            following = [part for part in client.headers.get("link", "").split(", ") if 'rel="next"' in part]
            path = following[0].partition(">")[0][1:].removeprefix(client.base) if following else ""
    assert (3, 251, sorted(seen)) == (pages, len(seen), seen)


async def test_what_cannot_be_written_is_refused_in_githubs_words() -> None:
    """Too long, blank, locked, archived, not JSON."""
    simulator = a_simulator()
    async with served(simulator) as client:
        token = await client.token()
        statuses = [(await client.call("POST", COMMENTS, token, {"body": text}))[0] for text in ("é" * 65_536, " ")]
        statuses.append((await client.call("POST", COMMENTS, token, {"body": "x" * 65_537}))[0])
        simulator.world.lock("octo-org/hello", 1)
        locked = await client.call("POST", COMMENTS, token, {"body": "x"})
        simulator.world.archive("octo-org/hello")
        archived = await client.call("PATCH", PULL, token, {"state": "closed"})
    assert statuses == [201, 422, 422]
    assert (locked[0], locked[1]["message"]) == (403, "Unable to create comment because issue is locked.")
    assert (archived[0], archived[1]["message"]) == (403, "Repository was archived so is read-only.")


async def test_a_renamed_repository_redirects_to_its_id() -> None:
    """301 to a GET, 307 to the rest; the id's path works, and a deleted repository is gone under all."""
    simulator = a_simulator()
    async with served(simulator) as client:
        token = await client.token()
        simulator.world.rename_repository("octo-org/hello", "goodbye")
        got, body = await client.call("GET", f"{COMMENTS}?per_page=5", token)
        posted, _ = await client.call("POST", COMMENTS, token, {"body": "x"})
        location = client.headers["location"].removeprefix(client.base)
        again, _ = await client.call("POST", location, token, {"body": "x"})
        simulator.world.delete_repository("octo-org/goodbye")
        assert (got, posted, again) == (301, 307, 201)
        assert body["url"].endswith("/issues/1/comments?per_page=5")
        assert (await client.call("GET", location, token))[0] == 404


async def test_pull_requests_close_and_reopen_as_on_github() -> None:
    """Closing twice is fine; merged, a lost head branch and foreign fields are 422."""
    simulator = a_simulator()
    world = simulator.world
    for author in ("mona", "hubot"):
        world.open_pull_request("octo-org/hello", author)
    world.merge("octo-org/hello", 2)
    world.delete_head_branch("octo-org/hello", 3)
    async with served(simulator) as client:
        token = await client.token()
        statuses = [
            (await client.call("PATCH", f"/repos/octo-org/hello/pulls/{number}", token, body))[0]
            for number, body in [
                (1, {"state": "closed"}),
                (1, {"state": "closed"}),
                (1, {"state": "open"}),
                (1, {"state": "closed", "base": "main"}),
                (2, {"state": "closed"}),
                (2, {"state": "open"}),
                (3, {"state": "open"}),
                (9, {"state": "open"}),
            ]
        ]
    pull = simulator.snapshot()["pull_requests"][0]
    assert statuses == [200, 200, 200, 422, 422, 422, 422, 404]
    assert [event["action"] for event in pull["history"]] == ["opened", "closed", "reopened"]
    assert [event["actor"] for event in pull["history"]] == ["mona", "centralbot[bot]", "centralbot[bot]"]


async def test_the_primary_limit_ends_an_installations_hour_alone() -> None:
    """403 with the headers that tell when it goes on; another installation is not touched."""
    simulator = a_simulator()
    simulator.world.install("other", ["repo"], id=8)
    async with served(simulator) as client:
        token, other = await client.token(), await client.token(8)
        simulator.limits.set_remaining(7, 1, reset_in_s=90)
        statuses = [(await client.call("GET", PULL, token))[0] for _ in range(2)]
        headers = client.headers
        statuses.append((await client.call("GET", "/repos/other/repo", other))[0])
    assert statuses == [200, 403, 200]
    assert (headers["x-ratelimit-remaining"], headers["x-ratelimit-resource"]) == ("0", "core")


async def test_the_secondary_limit_stops_too_many_comments() -> None:
    """Eighty content creations a minute, once it is switched on."""
    simulator = a_simulator()
    simulator.limits.set_secondary(content_per_minute=2)
    async with served(simulator) as client:
        token = await client.token()
        statuses = [(await client.call("POST", COMMENTS, token, {"body": "x"}))[0] for _ in range(3)]
        assert (statuses, client.headers["retry-after"]) == ([201, 201, 403], "60")


async def test_role_names_tell_maintain_and_triage_apart() -> None:
    """``permission`` alone does not."""
    simulator = a_simulator()
    simulator.world.set_collaborator("octo-org/hello", "mia", "maintain")
    async with served(simulator) as client:
        token = await client.token()
        path = "/repos/octo-org/hello/collaborators/{}/permission"
        answers = [(await client.call("GET", path.format(login), token))[1] for login in ("mia", "owner", "mona")]
    assert [(answer["permission"], answer["role_name"]) for answer in answers] == [
        ("write", "maintain"),
        ("admin", "admin"),
        ("read", "read"),
    ]


async def test_a_custom_role_is_told_by_its_name_and_its_base() -> None:
    """``permission`` is the base, folded as any other role; a private repository gives strangers nothing."""
    simulator = a_simulator()
    simulator.world.add_repository("octo-org/secret", private=True)
    simulator.world.add_repositories(7, ["octo-org/secret"])
    async with served(simulator) as client:
        token = await client.token()
        for login, base in (("mia", "maintain"), ("max", "triage")):
            grant = {"repository": "octo-org/secret", "login": login, "role": f"{base} and more", "base": base}
            assert (await client.call("POST", "/_simulator/set_collaborator", body=grant))[0] == 200
        path = "/repos/octo-org/secret/collaborators/{}/permission"
        answers = [(await client.call("GET", path.format(login), token))[1] for login in ("mia", "max", "mona")]
        unknown = (await client.call("GET", path.format("stranger"), token))[0]
    assert [(answer["permission"], answer["role_name"]) for answer in answers] == [
        ("write", "maintain and more"),
        ("read", "triage and more"),
        ("none", "none"),
    ]
    assert [answer["user"]["permissions"]["maintain"] for answer in answers] == [True, False, False]
    assert unknown == 404


@pytest.mark.parametrize("base", [{}, {"base": "admin"}, {"base": "none"}, {"base": "custom"}])
async def test_a_custom_role_needs_a_base(base: dict[str, str]) -> None:
    """A role out of nothing would be a typing mistake."""
    grant = {"repository": "octo-org/hello", "login": "mia", "role": "Release manager", **base}
    async with served(a_simulator()) as client:
        assert (await client.call("POST", "/_simulator/set_collaborator", body=grant))[0] == 400
