"""The owner's pages without a browser: what they say, their forms, and what they answer to nonsense."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from centralbot.domain.config import Mode
from tests.entrypoints.api.caller import Answer
from tests.entrypoints.api.people import People, serving_people

SETTINGS = {
    "mode": "shadow",
    "window_s": "2",
    "window_s-unit": "hours",
    "verification": ["github-login", "attestation"],
    "exempt_associations": ["OWNER"],
    "exempt_bots": "yes",
    "exempt_label": "let-in",
    "rules": "Be kind.\r\nTest it.",
}


@pytest.fixture
async def people(database: str) -> AsyncIterator[People]:
    async with serving_people(database) as running:
        yield running


class Browser:
    """The owner's, signed in."""

    def __init__(self, people: People, cookie: str) -> None:
        self._people = people
        self._headers = {"cookie": cookie, "accept": "text/html"}

    async def get(self, path: str) -> Answer:
        return await self._people.call("GET", path, by=None, headers=self._headers)

    async def post(self, path: str, form: Any) -> Answer:
        own = {**self._headers, "origin": self._people.bot.url, "sec-fetch-site": "same-origin"}
        return await self._people.call("POST", path, by=None, headers=own, form=form)


@pytest.fixture
async def browser(people: People) -> Browser:
    return Browser(people, await people.sign_in())


def text(answer: Answer) -> str:
    """What a person reads, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.body)).split())


def field(answer: Answer, name: str) -> str:
    """The tag of the input with that id."""
    found = re.search(rf'<[^>]+ id="{name}"[^>]*>', answer.body)
    assert found is not None, name
    return found[0]


async def test_a_stranger_reads_what_it_is_and_can_sign_in(people: People) -> None:
    """And no page of a repository; a page comes back after the sign-in."""
    start = await people.call("GET", "/", by=None)
    assert (start.status, "/api/v1/auth/github/start?return_to=/" in start.body) == (200, True)
    page = await people.call("GET", "/repos/999/settings?done=saved", by=None)
    to = "/api/v1/auth/github/start?return_to=%2Frepos%2F999%2Fsettings%3Fdone%3Dsaved"
    assert (page.status, page.headers["location"]) == (303, to)


async def test_where_sign_in_is_off_the_page_says_what_is_missing(database: str) -> None:
    """Both names."""
    async with serving_people(database, can_sign_in=False) as people:
        page = text(await people.call("GET", "/", by=None))
        assert "CENTRALBOT_GITHUB_CLIENT_ID" in page
        assert "CENTRALBOT_GITHUB_CLIENT_SECRET" in page
        assert (await people.call("GET", "/api/v1/auth/github/start", by=None)).status == 503


async def test_my_repositories_are_listed_with_their_state(people: People, browser: Browser) -> None:
    """Of nobody else's there is a word."""
    page = await browser.get("/")
    assert '<a href="/repos/999">org/repo</a>' in page.body
    assert "Enforce" in page.body
    assert "org/repo-888" not in page.body


async def test_every_page_keeps_to_itself(people: People, browser: Browser) -> None:
    """No script, no style and nothing else of another site; not stored, not framed."""
    ours = await people.challenged()
    for path in (
        "/",
        "/repos/999",
        "/repos/999/settings",
        "/repos/999/whitelist",
        "/repos/999/audit",
        f"/challenges/{ours}",
    ):
        page = await browser.get(path)
        assert page.status == 200, path
        assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert (page.headers["cache-control"], page.headers["x-frame-options"]) == ("no-store", "DENY")
        assert re.findall(r"<script|<style| style=| on[a-z]+=", page.body) == []
        assert re.findall(r'(?:src|<link[^>]* href)="(?!/)', page.body) == []


class TestSettings:
    """The form of the settings."""

    async def test_they_are_saved_and_told(self, people: People, browser: Browser) -> None:
        """POST, then GET; what is not ticked is off."""
        done = await browser.post("/repos/999/settings", SETTINGS)
        assert (done.status, done.headers["location"]) == (303, "/repos/999/settings?done=saved")
        record = await people.backend.store.repositories.get(999)
        assert record is not None
        assert record.config is not None
        config = record.config
        assert (config.mode, config.window_s, config.verification) == (
            Mode.SHADOW,
            7200,
            ("github-login", "attestation"),
        )
        assert (config.draft_prs_gated, config.exempt_bots, config.comment_on_exempt) == (False, True, False)
        assert (config.exempt_label, config.rules) == ("let-in", "Be kind.\nTest it.")
        page = await browser.get(done.headers["location"])
        assert 'role="status"' in page.body
        assert ' value="2"' in field(page, "window_s")

    async def test_each_mistake_is_told_beside_its_field_and_nothing_is_lost(
        self, people: People, browser: Browser
    ) -> None:
        """400, all at once, what was typed kept, and nothing saved."""
        typed = {
            **SETTINGS, "mode": "on", "window_s": "-1", "verification": [], "exempt_label": "x" * 51,
            "rules": "y" * 4001, "exempt_associations": ["FRIEND"],
        }  # fmt: skip
        page = await browser.post("/repos/999/settings", typed)
        assert (page.status, 'role="alert"' in page.body) == (400, True)
        for name in ("mode", "window_s", "verification", "exempt_associations", "exempt_label", "rules"):
            assert f'id="{name}-error"' in page.body, name
            assert f"{name}-error" in field(page, name), name
        assert 'aria-invalid="true"' in field(page, "window_s")
        assert ('value="-1"' in field(page, "window_s"), "y" * 4001 in page.body) == (True, True)
        record = await people.backend.store.repositories.get(999)
        assert record is not None
        assert record.config is not None
        assert record.config.mode is Mode.ENFORCE

    async def test_a_page_from_before_a_field_leaves_it_as_it_is(self, people: People, browser: Browser) -> None:
        """It cannot send what it does not know; what every page has known is asked for."""
        await browser.post("/repos/999/settings", SETTINGS)
        known = {name: value for name, value in SETTINGS.items() if name not in ("exempt_label", "rules")}
        assert (await browser.post("/repos/999/settings", known)).status == 303
        record = await people.backend.store.repositories.get(999)
        assert record is not None
        assert record.config is not None
        assert (record.config.exempt_label, record.config.rules) == ("let-in", "Be kind.\nTest it.")
        page = await browser.post("/repos/999/settings", {**known, "mode": []})
        assert (page.status, 'id="mode-error"' in page.body) == (400, True)

    @pytest.mark.parametrize("value", ["0", "", "1.5", "x", "31", "٣", "9" * 400])
    async def test_other_times_are_told(self, browser: Browser, value: str) -> None:
        """No number, or more than thirty days."""
        page = await browser.post("/repos/999/settings", {**SETTINGS, "window_s": value, "window_s-unit": "days"})
        assert (page.status, 'id="window_s-error"' in page.body) == (400, True)


class TestWhitelist:
    """The form of the whitelist."""

    async def test_logins_are_added_by_id_and_removed(self, people: People, browser: Browser) -> None:
        """With @, commas and lines."""
        alice, bob = people.github.add_user("alice"), people.github.add_user("bob")
        added = await browser.post("/repos/999/whitelist", {"logins": "@alice,\r\n bob alice"})
        assert added.headers["location"] == "/repos/999/whitelist?done=added"
        stored = await people.backend.store.whitelist.entries(999)
        assert [entry.user for entry in stored] == [alice, bob]
        gone = [await browser.post("/repos/999/whitelist", {"remove": str(alice.id)}) for _ in range(2)]
        assert [it.headers["location"].partition("=")[2] for it in gone] == ["removed", "gone"]
        page = await browser.get("/repos/999/whitelist")
        assert ("bob" in text(page), "alice" in text(page)) == (True, False)

    async def test_an_unknown_login_adds_nobody(self, people: People, browser: Browser) -> None:
        """What was typed stays; its markup is text."""
        people.github.add_user("alice")
        page = await browser.post("/repos/999/whitelist", {"logins": "alice <script>alert(1)</script>"})
        assert (page.status, "<script" in page.body) == (400, False)
        assert "GitHub has no account named <script>alert(1)</script>" in text(page)
        assert await people.backend.store.whitelist.entries(999) == []

    @pytest.mark.parametrize("form", [{"logins": " , "}, {}, {"logins": " ".join(f"u{i}" for i in range(101))}])
    async def test_nobody_and_too_many_are_told(self, browser: Browser, form: dict[str, str]) -> None:
        """400 beside the field."""
        page = await browser.post("/repos/999/whitelist", form)
        assert (page.status, 'id="logins-error"' in page.body) == (400, True)


class TestChallenge:
    """One check, and the maintainer's word."""

    @pytest.mark.parametrize(("word", "status"), [("exempt", "EXEMPT"), ("extend", "PENDING"), ("cancel", "CANCELED")])
    async def test_each_word_is_asked_twice_and_done_once(
        self, people: People, browser: Browser, word: str, status: str
    ) -> None:
        """A link, a confirmation, a form; the trace tells who."""
        ours = await people.challenged()
        page = await browser.get(f"/challenges/{ours}")
        assert f"/challenges/{ours}?confirm={word}#confirm" in page.body
        confirm = await browser.get(f"/challenges/{ours}?confirm={word}")
        assert f'name="action" value="{word}"' in confirm.body
        assert (await people.challenge(ours)).status == "PENDING"
        done = await browser.post(f"/challenges/{ours}", {"action": word, "by": "2", "unit": "hours"})
        assert (done.status, done.headers["location"]) == (303, f"/challenges/{ours}?done={word}")
        after = await people.challenge(ours)
        assert (after.status, after.window_s) == (status, 9000 if word == "extend" else 1800)
        told = text(await browser.get(done.headers["location"]))
        assert "owner" in told[told.index("What happened, and why") :]

    async def test_too_late_is_told(self, people: People, browser: Browser) -> None:
        """409, with what it is now; and nothing more is offered."""
        ours = await people.challenged()
        await browser.post(f"/challenges/{ours}", {"action": "exempt"})
        page = await browser.post(f"/challenges/{ours}", {"action": "cancel"})
        assert (page.status, "too late" in text(page), "confirm=" in page.body) == (409, True, False)

    async def test_other_times_and_words_are_told(self, people: People, browser: Browser) -> None:
        """400, beside the field or as a page."""
        ours = await people.challenged()
        for by in ("0", "-3", "x", "", "31"):
            page = await browser.post(f"/challenges/{ours}", {"action": "extend", "by": by, "unit": "days"})
            assert (page.status, 'id="by-error"' in page.body) == (400, True), by
        for form in ({}, {"action": "delete"}, {"action": ["exempt", "cancel"]}):
            assert (await browser.post(f"/challenges/{ours}", form)).status == 400, form
        assert (await people.challenge(ours)).window_s == 1800


async def test_the_overview_tells_what_shadow_mode_would_have_done(people: People, browser: Browser) -> None:
    """And what happened to each."""
    await people.configure(Mode.SHADOW)
    await people.challenged(1)
    page = text(await browser.get("/repos/999"))
    assert "It would have asked 1 author to verify, and closed nothing." in page
    await people.advance(1801)
    await people.backend.sweep.once()
    page = text(await browser.get("/repos/999"))
    assert "It would have closed 1 , none of them merged later." in page
    assert "Would be closed" in page


async def test_pull_requests_are_filtered_and_paged(people: People, browser: Browser) -> None:
    """The filter goes along; a bad one is a page with 400."""
    for number in range(1, 53):
        await people.challenged(number)
    page = await browser.get("/repos/999?status=PENDING")
    older = re.search(r'href="(/repos/999\?status=PENDING&amp;cursor=[0-9a-f-]+)" rel="next"', page.body)
    assert older is not None
    rest = await browser.get(html.unescape(older[1]))
    assert ("#2 by" in text(rest), "#3 by" in text(rest)) == (True, False)
    assert "No pull request has this status." in text(await browser.get("/repos/999?status=VERIFIED"))
    for query in ("status=x", "cursor=x", "status=PENDING&status=PENDING"):
        bad = await browser.get(f"/repos/999?{query}")
        assert (bad.status, "text/html" in bad.headers["content-type"]) == (400, True), query


async def test_a_hostile_name_is_only_text(people: People, browser: Browser) -> None:
    """HTML is escaped, what turns text around is made visible (row 47)."""
    name = "<img src=x onerror=alert(1)>\u202egpj"
    ours = await people.challenged(pull_request={"user": {"id": 77, "login": name}})
    for path in ("/repos/999", f"/challenges/{ours}", "/repos/999/audit"):
        page = await browser.get(path)
        assert ("<img src=x" in page.body, "\u202e" in page.body) == (False, False), path


async def test_only_our_own_words_are_shown_as_messages(browser: Browser) -> None:
    """Nothing of an address."""
    page = await browser.get("/repos/999/settings?done=You%20won")
    assert ("You won" in page.body, 'role="status"' in page.body) == (False, False)


async def test_nonsense_gets_a_page_that_says_so(people: People, browser: Browser) -> None:
    """With its status, in the same look."""
    cookie = {"cookie": await people.sign_in(), "content-type": "application/x-www-form-urlencoded"}
    ours = await people.challenged()
    path = "/repos/999/settings"
    bad: list[tuple[str, str, bytes | None, int]] = [
        ("GET", "/repos/org", None, 404),
        ("GET", "/repos/0", None, 400),
        ("GET", f"/repos/{'9' * 3000}", None, 400),
        ("GET", "/repos/5", None, 403),
        ("GET", f"/challenges/{uuid4()}", None, 404),
        ("GET", "/challenges/x", None, 404),
        ("GET", f"/challenges/{ours}?confirm=a&confirm=b", None, 400),
        ("POST", path, b"mode=\xff", 400),
        ("POST", path, b"mode=%ff", 400),
        ("POST", path, b"mode=%00", 400),
        ("POST", path, b"mode=off&mode=off", 400),
        ("POST", path, b"&".join(b"a=%d" % i for i in range(2000)), 400),
        ("POST", path, b"rules=" + b"x" * 200_000, 413),
    ]
    for method, where, body, status in bad:
        answer = await people.call(method, where, body, by=None, headers=cookie)
        assert (answer.status, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), (where, body)
        assert "content-security-policy" in answer.headers
    multipart = {"cookie": cookie["cookie"], "content-type": "multipart/form-data; boundary=x"}
    assert (await people.call("POST", path, b"--x--", by=None, headers=multipart)).status == 400


async def test_a_form_sent_after_the_session_ended_says_so(people: People) -> None:
    """401 with a way back; nothing is saved."""
    page = await people.call("POST", "/repos/999/settings", by=None, form=SETTINGS)
    assert (page.status, "return_to=%2Frepos%2F999%2Fsettings" in page.body) == (401, True)


async def test_a_sign_in_that_github_took_back_is_told_not_repeated(people: People, browser: Browser) -> None:
    """401 with a button: sending the browser on by itself could go round for ever."""
    people.github.withdraw("owner")
    page = await browser.get("/")
    assert (page.status, "/api/v1/auth/github/start?return_to=%2F" in page.body) == (401, True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/repo/999", 404),
        ("HEAD", "/repo/999", 404),
        ("GET", "/repos/999/setings", 404),
        ("GET", "/repos/", 404),
        ("GET", "/g", 404),
        ("GET", "/static/0/no.css", 404),
        ("GET", "/%00/..%2f", 404),
        ("POST", "/repo/999", 404),
        ("POST", "/", 405),
        ("PUT", "/repos/999/settings", 405),
        ("GET", "/api/v1/repo/999/config", 404),
        ("POST", "/api/v1/me", 405),
        ("GET", "/internal/v1/bot-actions/claim", 404),
        ("GET", "/internal/v2/bot-actions/claim", 405),
    ],
)
async def test_a_mistyped_address_is_a_page_to_a_browser_alone(
    people: People, method: str, path: str, status: int
) -> None:
    """Programs get the envelope, and so does a browser at an address of theirs; the status is the same for both."""
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "cookie": await people.sign_in()}
    page = await people.call(method, path, by=None, headers=browser)
    plain = await people.call(method, path, by=None, headers={"accept": "*/*"})
    kind = "application/json" if path.startswith(("/api/", "/internal/")) else "text/html; charset=utf-8"
    assert [(page.status, page.headers["content-type"]), (plain.status, plain.headers["content-type"])] == [
        (status, kind), (status, "application/json"),
    ]  # fmt: skip
    if kind != "application/json":
        assert ("content-security-policy" in page.headers, page.headers["cache-control"]) == (True, "no-store")
        assert "Sign in" not in page.body
    assert ("allow" in page.headers) == ("allow" in plain.headers)
