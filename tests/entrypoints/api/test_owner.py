"""The owner API over real HTTP and PostgreSQL: each endpoint, and every bad value of every field."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from centralbot.domain.config import Mode
from centralbot.domain.errors import Unavailable
from tests.entrypoints.api.caller import MISSING, installed, with_field
from tests.entrypoints.api.people import People, serving_people

CONFIG: dict[str, Any] = {
    "mode": "shadow",
    "draft_prs_gated": False,
    "window_s": 600,
    "verification": ["github-login", "attestation"],
    "exempt_associations": ["OWNER", "CONTRIBUTOR"],
    "exempt_bots": False,
    "comment_on_exempt": False,
}
ALICE, BOB = {"github_user_id": 1001, "github_login": "alice"}, {"github_user_id": 1002, "github_login": "bob[bot]"}


@pytest.fixture
async def people(database: str) -> AsyncIterator[People]:
    async with serving_people(database) as running:
        yield running


class TestMe:
    """``GET /api/v1/me``."""

    async def test_it_says_who_calls_by_token_and_by_session(self, people: People) -> None:
        """And by which of the two."""
        owner = people.github.add_user("owner")
        expected = {"github_user_id": owner.id, "github_login": "owner"}
        by_token = await people.call("GET", "/api/v1/me")
        by_session = await people.call("GET", "/api/v1/me", by=None, headers={"cookie": await people.sign_in()})
        assert by_token.body == {**expected, "via": "bearer"}
        assert by_session.body == {**expected, "via": "session"}
        assert by_token.headers["cache-control"] == "no-store"

    async def test_nobody_else_is_anybody(self, people: People) -> None:
        """401 in the envelope."""
        shown: list[dict[str, str]] = [
            {},
            {"authorization": "Bearer nobody"},
            {"authorization": "Basic b3duZXI6"},
            {"authorization": "Bearer "},
            {"authorization": "Bearer " + "x" * 3000},
            {"cookie": "centralbot_session=" + "x" * 43},
        ]
        for headers in shown:
            answer = await people.call("GET", "/api/v1/me", by=None, headers=headers)
            assert (answer.status, answer.code) == (401, "UNAUTHENTICATED"), headers


class TestRepositories:
    """``GET /api/v1/repos`` and the App's status."""

    async def test_those_that_the_caller_may_manage(self, people: People) -> None:
        """Not those that they may only triage, nor where the App is not."""
        answer = await people.call("GET", "/api/v1/repos")
        expected = {
            "repo_id": 999,
            "full_name": "org/repo",
            "installation_id": 123,
            "role": "admin",
            "mode": "enforce",
            "connected": True,
        }
        assert answer.body == {"repositories": [expected]}
        assert (await people.call("GET", "/api/v1/repos", by="reader")).body == {"repositories": []}

    async def test_the_status_follows_the_installation(self, people: People) -> None:
        """The contract's example, then removed, then suspended."""
        path = "/api/v1/repos/999/github-app-status"
        both = {
            "installed": True,
            "installation_id": 123,
            "installation_account_login": "org",
            "installation_account_type": "Organization",
            "repo_connected": True,
        }
        nothing = {name: None if name.startswith("installation_") else False for name in both}
        assert (await people.call("GET", path)).body == both
        gone = installed(
            "removed", "installation_repositories", repositories_removed=[{"id": 999, "full_name": "org/repo"}],
            event_time="2026-02-16T12:10:00Z",
        )  # fmt: skip
        await people.bot.installation(gone)
        assert (await people.call("GET", path)).body == {**both, "repo_connected": False}
        await people.bot.installation(installed("suspend", event_time="2026-02-16T12:20:00Z"))
        assert (await people.call("GET", path)).body == nothing

    async def test_a_repository_that_was_never_seen_asks_github_all_the_same(self, people: People) -> None:
        """Its admin is told that the App is not there; everybody else, that they have no right."""
        people.github.add_repository(5, "owner/new", installation_id=None)
        people.github.set_role(5, "owner", people.github.repos[999].roles[people.github.add_user("owner").id])
        answer = await people.call("GET", "/api/v1/repos/5/github-app-status")
        assert (answer.status, answer.body["installed"]) == (200, False)
        refused = await people.call("GET", "/api/v1/repos/5/github-app-status", by="other")
        assert (refused.status, refused.code) == (403, "FORBIDDEN")

    async def test_while_github_is_away_nothing_is_guessed(self, people: People) -> None:
        """503 with Retry-After."""
        people.github.fail_next(Unavailable("GitHub is away", retry_after_s=7))
        answer = await people.call("GET", "/api/v1/repos", headers={"cookie": "x=y"})
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "UNAVAILABLE", "7")


class TestConfig:
    """``GET`` and ``PUT …/config``."""

    PATH = "/api/v1/repos/999/config"

    async def test_without_one_the_defaults_in_force_are_told(self, people: People) -> None:
        """With the operator's default mode."""
        people.github.add_repository(5, "owner/new", installation_id=None)
        people.github.set_role(5, "owner", people.github.repos[999].roles[people.github.add_user("owner").id])
        answer = await people.call("GET", "/api/v1/repos/5/config")
        assert answer.body == {
            "mode": "enforce",
            "draft_prs_gated": True,
            "window_s": 1800,
            "verification": ["github-login", "proof-of-work"],
            "exempt_associations": ["OWNER", "MEMBER", "COLLABORATOR"],
            "exempt_bots": True,
            "comment_on_exempt": True,
        }

    async def test_what_is_put_is_what_one_gets(self, people: People) -> None:
        """The optional fields keep what they had; unknown ones are ignored; the audit names the caller."""
        expected = {
            **CONFIG,
            "exempt_associations": ["OWNER", "CONTRIBUTOR"],
            "rules": "Be kind.",
        }
        await people.call("PUT", self.PATH, {**CONFIG, "rules": "Be kind."})
        put = await people.call("PUT", self.PATH, {**CONFIG, "unknown": 1})
        assert (put.status, put.body) == (200, expected)
        assert (await people.call("GET", self.PATH)).body == expected
        event = (await people.call("GET", "/api/v1/repos/999/audit")).body["events"][0]
        owner = people.github.add_user("owner")
        assert (event["event"], event["actor"]) == ("repository.configured", f"github:{owner.id}")

    async def test_it_reaches_new_challenges_only(self, people: People) -> None:
        """The one under way keeps its window."""
        first = await people.challenged(1)
        await people.call("PUT", self.PATH, {**CONFIG, "mode": "enforce", "window_s": 60})
        second = await people.challenged(2)
        assert [(await people.challenge(i)).window_s for i in (first, second)] == [1800, 60]

    async def test_every_field_is_required(self, people: People) -> None:
        """PUT replaces: nothing is guessed."""
        for field in CONFIG:
            answer = await people.call("PUT", self.PATH, with_field(CONFIG, field, MISSING))
            assert (answer.status, answer.code) == (400, "VALIDATION_ERROR"), field
            assert answer.message.startswith(f"{field}: ")

    async def test_a_bad_value_is_named_and_changes_nothing(self, people: People) -> None:
        """400, whatever is wrong with it."""
        for field, value in self.BAD:
            answer = await people.call("PUT", self.PATH, with_field(CONFIG, field, value))
            assert (answer.status, answer.code) == (400, "VALIDATION_ERROR"), (field, value)
            assert answer.message.startswith(field)
        assert (await people.call("GET", self.PATH)).body["mode"] == "enforce"

    BAD: ClassVar[list[tuple[str, Any]]] = [
        *(("mode", value) for value in ("ENFORCE", "", None, 1, ["off"])),
        *(("draft_prs_gated", value) for value in ("true", 1, None)),
        *(("window_s", value) for value in (0, -1, 2_592_001, 2**70, 1.5, "600", True, None)),
        *(("verification", value) for value in ([], ["sms"], ["github-login"] * 2, "github-login", [1], None)),
        ("verification", ["x" * 200]),
        ("verification", ["github-login"] * 100),
        *(("exempt_associations", value) for value in (["owner"], ["OWNER", "OWNER"], "OWNER", [None], None)),
        *(("exempt_bots", value) for value in ("no", 0, None)),
        ("comment_on_exempt", []),
        *(("comment_on_exempt", value) for value in (1, None)),
        *(("exempt_label", value) for value in ("x" * 51, " x", "a\nb", "\0", None, 1)),
        *(("rules", value) for value in ("x" * 4001, "\0", "\x07", None, 1)),
    ]

    async def test_what_is_no_such_body_is_refused(self, people: People) -> None:
        """400, and 413 over a mebibyte."""
        for body in (b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"rules": "\\ud800"}'):
            answer = await people.call("PUT", self.PATH, body)
            assert (answer.status, answer.code) == (400, "VALIDATION_ERROR"), body[:20]
        answer = await people.call("PUT", self.PATH, b" " * (1 << 20) + b"{}")
        assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")


class TestWhitelist:
    """``…/whitelist``."""

    PATH = "/api/v1/repos/999/whitelist"

    async def test_put_replaces_and_delete_removes(self, people: People) -> None:
        """An author who is on it is let through."""
        for entries in ([ALICE, BOB], [ALICE, {"github_user_id": 2002, "github_login": "contrib"}]):
            answer = await people.call("PUT", self.PATH, {"entries": entries})
            assert answer.status == 200
        plain = [{name: it[name] for name in ALICE} for it in (await people.call("GET", self.PATH)).body["entries"]]
        assert plain == entries
        await people.challenged(7)
        assert (await people.call("GET", "/api/v1/repos/999/challenges")).body["challenges"][0]["status"] == "EXEMPT"
        gone = await people.call("DELETE", f"{self.PATH}/1001")
        again = await people.call("DELETE", f"{self.PATH}/1001")
        assert (gone.status, gone.body) == (204, "")
        assert (again.status, again.code) == (404, "NOT_FOUND")

    async def test_a_bad_list_changes_nothing(self, people: People) -> None:
        """400 that names the field."""
        await people.call("PUT", self.PATH, {"entries": [BOB]})
        lists: list[Any] = [
            None,
            {},
            [1],
            [{"github_user_id": 1}],
            *([{**ALICE, "github_user_id": bad}] for bad in (0, -1, 2**63, "1001", 1.5, None)),
            *([{**ALICE, "github_login": bad}] for bad in ("", "<b>", "x" * 200, "a b", None, "\0")),
            [ALICE, ALICE],
            [{**ALICE, "github_user_id": i} for i in range(1, 1002)],
        ]
        for entries in lists:
            answer = await people.call("PUT", self.PATH, {"entries": entries})
            assert (answer.status, answer.message.startswith("entries")) == (400, True), entries
        left = (await people.call("GET", self.PATH)).body["entries"]
        assert [it["github_user_id"] for it in left] == [1002]

    async def test_a_thousand_are_allowed(self, people: People) -> None:
        """The most."""
        entries = [{**ALICE, "github_user_id": i} for i in range(1, 1001)]
        assert len((await people.call("PUT", self.PATH, {"entries": entries})).body["entries"]) == 1000

    async def test_logins_are_resolved_as_people_type_them(self, people: People) -> None:
        """With @ and space, in any case, each once; what is no login is unresolved."""
        alice, bob = people.github.add_user("Alice"), people.github.add_user("bob")
        logins = ["@alice", " ALICE ", "bob", "nobody", "<script>", "", "a/b"]
        answer = await people.call("POST", f"{self.PATH}/resolve-logins", {"logins": logins})
        assert answer.body == {
            "resolved": [
                {"github_user_id": alice.id, "github_login": "Alice"},
                {"github_user_id": bob.id, "github_login": "bob"},
            ],
            "unresolved": ["nobody", "<script>", "", "a/b"],
        }

    async def test_bad_logins_are_refused(self, people: People) -> None:
        """400."""
        for logins in (None, "alice", [1], ["x"] * 101):
            answer = await people.call("POST", f"{self.PATH}/resolve-logins", {"logins": logins})
            assert (answer.status, answer.message.startswith("logins")) == (400, True), logins


class TestChallenges:
    """``…/challenges``, and a maintainer's word."""

    PATH = "/api/v1/repos/999/challenges"

    async def test_they_come_newest_first_fifty_a_page(self, people: People) -> None:
        """The cursor goes on where the page ended, also under a filter."""
        for number in range(1, 54):
            await people.challenged(number)
        first = (await people.call("GET", self.PATH)).body
        second = (await people.call("GET", f"{self.PATH}?cursor={first['next_cursor']}&status=PENDING")).body
        numbers = [it["pr_number"] for it in (*first["challenges"], *second["challenges"])]
        assert (numbers, len(first["challenges"]), second["next_cursor"]) == (list(range(53, 0, -1)), 50, None)
        assert (await people.call("GET", f"{self.PATH}?status=VERIFIED")).body == {
            "challenges": [],
            "next_cursor": None,
        }

    async def test_each_is_told_with_its_facts(self, people: People) -> None:
        """Times in UTC with a Z."""
        ours = await people.challenged()
        (told,) = (await people.call("GET", self.PATH)).body["challenges"]
        stored = await people.challenge(ours)
        assert told["created_at"].endswith("Z")
        assert {**told, "created_at": None, "updated_at": None} == {
            "id": ours,
            "repo_id": 999,
            "repo_full_name": "org/repo",
            "pr_number": 42,
            "html_url": stored.html_url,
            "head_sha": stored.head_sha,
            "author": {"github_user_id": 2002, "github_login": "contrib"},
            "mode": "enforce",
            "status": "PENDING",
            "reason": None,
            "window_s": 1800,
            "verification": ["github-login", "proof-of-work"],
            "created_at": None,
            "updated_at": None,
            "deadline_at": None,
        }

    async def test_a_bad_question_is_refused(self, people: People) -> None:
        """400 that names the parameter."""
        twice = "status=PENDING&status=EXEMPT"
        for query in ("status=pending", "status=", "cursor=x", "cursor=", f"cursor={uuid4()}", twice):
            answer = await people.call("GET", f"{self.PATH}?{query}")
            assert (answer.status, answer.message.startswith(query.partition("=")[0])) == (400, True), query

    @pytest.mark.parametrize(("word", "status"), [("exempt", "EXEMPT"), ("cancel", "CANCELED")])
    async def test_a_maintainers_word_ends_it_once(self, people: People, word: str, status: str) -> None:
        """Then it is too late for any other; the audit says who."""
        ours = await people.challenged()
        answer = await people.call("POST", f"/api/v1/challenges/{ours}/{word}")
        assert (answer.status, answer.body["status"], answer.body["reason"]) == (200, status, "MAINTAINER")
        for other in ("exempt", "extend", "cancel"):
            late = await people.call("POST", f"/api/v1/challenges/{ours}/{other}")
            assert (late.status, late.code) == (409, "CHALLENGE_NOT_PENDING")
        event = (await people.call("GET", "/api/v1/repos/999/audit")).body["events"][0]
        owner = people.github.add_user("owner")
        assert (event["actor"], event["challenge_id"], event["pr_number"]) == (f"github:{owner.id}", ours, 42)

    async def test_more_time_is_the_repositorys_or_as_much_as_asked(self, people: People) -> None:
        """Without a body, with an empty one, and with seconds."""
        ours = await people.challenged()
        windows = []
        for body in (None, {}, {"by_s": None}, {"by_s": 60}):
            answer = await people.call("POST", f"/api/v1/challenges/{ours}/extend", body)
            windows.append(answer.body["window_s"])
        assert windows == [3600, 5400, 7200, 7260]

    async def test_other_times_are_refused(self, people: People) -> None:
        """400 that names it."""
        ours = await people.challenged()
        for by_s in (59, 0, -60, 2_592_001, 2**70, 1.5, "60", True):
            answer = await people.call("POST", f"/api/v1/challenges/{ours}/extend", {"by_s": by_s})
            assert (answer.status, answer.message.startswith("by_s")) == (400, True), by_s

    async def test_no_challenge_lasts_for_ever(self, people: People) -> None:
        """All extensions together, a year."""
        ours = await people.challenged()
        path = f"/api/v1/challenges/{ours}/extend"
        statuses = [(await people.call("POST", path, {"by_s": 2_592_000})).status for _ in range(13)]
        assert statuses == [200] * 12 + [400]


async def test_the_audit_pages_and_names_people(people: People) -> None:
    """In sentences; a login where somebody has signed in."""
    await people.sign_in()
    for number in range(1, 60):
        await people.challenged(number)
    await people.call("PUT", "/api/v1/repos/999/whitelist", {"entries": [ALICE]})
    first = (await people.call("GET", "/api/v1/repos/999/audit")).body
    second = (await people.call("GET", f"/api/v1/repos/999/audit?cursor={first['next_cursor']}")).body
    newest = first["events"][0]
    assert (newest["actor_login"], newest["sentence"]) == ("owner", "owner put alice on the whitelist.")
    assert newest["at"].endswith("Z")
    assert (len(first["events"]), second["next_cursor"]) == (50, None)
    assert len({event["id"] for event in (*first["events"], *second["events"])}) == 61
    assert (await people.call("GET", "/api/v1/repos/999/audit?cursor=x")).status == 400


ODD = [
    ("GET", "/api/v1/repos/0/config", 400),
    ("GET", "/api/v1/repos/-1/config", 400),
    ("GET", f"/api/v1/repos/{2**63}/config", 400),
    ("GET", f"/api/v1/repos/{'9' * 5000}/config", 400),
    ("GET", "/api/v1/repos/1.0/config", 404),
    ("GET", "/api/v1/repos/org/config", 404),
    ("GET", "/api/v1/repos/1e2/config", 404),
    ("GET", "/api/v1/repos/1_0/config", 404),
    ("GET", "/api/v1/repos/+1/config", 404),
    ("GET", "/api/v1/repos/null/config", 404),
    ("GET", "/api/v1/repos/999/audit?cursor=null", 400),
    ("GET", "/api/v1/repos/999/challenges?status=null", 400),
    ("GET", "/api/v1/repos/%D9%A1/config", 404),
    ("GET", "/api/v1/repos/999/other", 404),
    ("DELETE", "/api/v1/repos/999/whitelist/0", 400),
    ("DELETE", "/api/v1/repos/999/whitelist/alice", 404),
    ("POST", "/api/v1/challenges/1/exempt", 404),
    ("POST", f"/api/v1/challenges/{uuid4()}/exempt", 404),
    ("POST", f"/api/v1/challenges/{uuid4()}/other", 404),
    ("POST", "/api/v1/repos/999/config", 405),
    ("DELETE", "/api/v1/repos/999/config", 405),
    ("GET", f"/api/v1/challenges/{uuid4()}/exempt", 405),
    ("POST", "/api/v1/me", 405),
]


async def test_odd_addresses_have_their_answer(people: People) -> None:
    """In the envelope."""
    codes = {400: "VALIDATION_ERROR", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
    for method, path, status in ODD:
        answer = await people.call(method, path)
        assert (answer.status, answer.code) == (status, codes[status]), (method, path[:80])


async def test_who_was_let_in_meanwhile_is_not_asked_twice(people: People) -> None:
    """GitHub's word is believed for a minute: sixty calls in a row ask once."""
    await people.configure(Mode.ENFORCE)
    first = await people.call("GET", "/api/v1/repos/999/config")
    people.github.fail_next(Unavailable("asked again"))
    answers = [(await people.call("GET", "/api/v1/repos/999/config")).status for _ in range(3)]
    assert (first.status, answers) == (200, [200, 200, 200])
