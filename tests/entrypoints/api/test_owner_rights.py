"""Nobody reaches what is not theirs: every owner endpoint and page, by everybody who has no right to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from centralbot.domain.events import Actor
from centralbot.ports.people import RepoRole
from tests.entrypoints.api.people import OTHERS, People, serving_people
from tests.entrypoints.api.test_owner import ALICE, CONFIG

Request = tuple[str, str, Any]

REPOSITORY: list[Request] = [
    ("GET", "github-app-status", None),
    ("GET", "config", None),
    ("PUT", "config", {**CONFIG, "mode": "off"}),
    ("GET", "whitelist", None),
    ("PUT", "whitelist", {"entries": []}),
    ("DELETE", "whitelist/1001", None),
    ("POST", "whitelist/resolve-logins", {"logins": ["alice"]}),
    ("GET", "challenges", None),
    ("GET", "audit", None),
]
CHALLENGE: list[Request] = [("POST", "exempt", None), ("POST", "extend", {"by_s": 600}), ("POST", "cancel", None)]
SETTINGS_FORM = {"mode": "off", "window_s": "1", "window_s-unit": "hours", "verification": "github-login"}
FORMS: list[tuple[str, dict[str, str]]] = [
    ("settings", SETTINGS_FORM),
    ("whitelist", {"logins": "alice"}),
    ("whitelist", {"remove": "1001"}),
]
PAGES = ("", "/settings", "/whitelist", "/audit")


@pytest.fixture
async def people(database: str) -> AsyncIterator[People]:
    async with serving_people(database) as running:
        await running.backend.store.whitelist.add(OTHERS, Actor(id=1001, login="alice"), actor="test")
        running.github.add_user("alice", 1001)
        yield running


async def snapshot(people: People, ours: str) -> tuple[Any, ...]:
    """Everything that any of the requests could change."""
    store = people.backend.store
    record = await store.repositories.get(OTHERS)
    return (
        record,
        await store.whitelist.entries(OTHERS),
        await store.challenges.get((await people.challenge(ours)).id),
        [event.id for event in await store.reports.audit(OTHERS)],
    )


async def test_no_request_reaches_somebody_elses_repository(people: People) -> None:
    """403 in the same words whether the repository is known here, unknown here, or nowhere; nothing changes."""
    ours = await people.challenged(repo_id=OTHERS)
    before = await snapshot(people, ours)
    people.github.add_repository(5, "other/unknown-here", installation_id=None, private=True)
    for method, path, body in REPOSITORY:
        answers = [await people.call(method, f"/api/v1/repos/{repo}/{path}", body) for repo in (OTHERS, 5, 6)]
        assert {(a.status, a.code) for a in answers} == {(403, "FORBIDDEN")}, (method, path)
        assert len({a.message for a in answers}) == 1, (method, path)
    assert await snapshot(people, ours) == before


async def test_no_request_reaches_somebody_elses_challenge(people: People) -> None:
    """404 in the same words as for one that does not exist; nothing changes."""
    ours = await people.challenged(repo_id=OTHERS)
    before = await snapshot(people, ours)
    for method, word, body in CHALLENGE:
        theirs, nobodys = [
            await people.call(method, f"/api/v1/challenges/{i}/{word}", body) for i in (ours, str(uuid4()))
        ]
        assert (theirs.status, theirs.code) == (404, "NOT_FOUND"), word
        assert theirs.body == nobodys.body
    assert await snapshot(people, ours) == before


async def test_a_cursor_of_somebody_elses_list_leads_nowhere(people: People) -> None:
    """400, like one that does not exist."""
    ours = await people.challenged(repo_id=OTHERS)
    answer = await people.call("GET", f"/api/v1/repos/999/challenges?cursor={ours}")
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


async def test_the_audit_tells_of_its_own_repository_alone(people: People) -> None:
    """Whatever the cursor."""
    await people.challenged(repo_id=OTHERS)
    (last, *_) = await people.backend.store.reports.audit(OTHERS)
    answer = await people.call("GET", f"/api/v1/repos/999/audit?cursor={last.id}")
    assert {event["pr_number"] for event in answer.body["events"]} == {None}


@pytest.mark.parametrize("by", [None, "reader"])
async def test_readers_and_strangers_may_nothing(people: People, by: str | None) -> None:
    """401 for nobody, 403 for who may only read; a challenge is 404 to the reader."""
    ours = await people.challenged()
    expected = (401, "UNAUTHENTICATED") if by is None else (403, "FORBIDDEN")
    hidden = (401, "UNAUTHENTICATED") if by is None else (404, "NOT_FOUND")
    for method, path, body in REPOSITORY:
        answer = await people.call(method, f"/api/v1/repos/999/{path}", body, by=by)
        assert (answer.status, answer.code) == expected, (method, path)
    for method, word, body in CHALLENGE:
        answer = await people.call(method, f"/api/v1/challenges/{ours}/{word}", body, by=by)
        assert (answer.status, answer.code) == hidden, word
    assert (await people.challenge(ours)).status == "PENDING"


async def test_write_maintain_and_admin_may_all(people: People) -> None:
    """And triage may not."""
    for number, (role, status) in enumerate(
        [(RepoRole.TRIAGE, 403), (RepoRole.WRITE, 200), (RepoRole.MAINTAIN, 200), (RepoRole.ADMIN, 200)]
    ):
        login = f"person-{number}"
        people.github.set_role(999, login, role)
        header = {"authorization": f"Bearer {people.github.issue(login).access_token}"}
        answer = await people.call("GET", "/api/v1/repos/999/config", headers=header)
        assert answer.status == status, role


async def test_a_page_of_somebody_elses_is_refused(people: People) -> None:
    """403 for the repository, 404 for the challenge, as pages; nothing changes by their forms."""
    ours = await people.challenged(repo_id=OTHERS)
    before = await snapshot(people, ours)
    cookie = {"cookie": await people.sign_in()}
    for path in PAGES:
        answer = await people.call("GET", f"/repos/{OTHERS}{path}", by=None, headers=cookie)
        assert (answer.status, answer.headers["content-type"]) == (403, "text/html; charset=utf-8"), path
    for path, form in FORMS:
        answer = await people.call("POST", f"/repos/{OTHERS}/{path}", by=None, headers=cookie, form=form)
        assert answer.status == 403, form
    nobodys = str(uuid4())
    pages = [await people.call("GET", f"/challenges/{i}", by=None, headers=cookie) for i in (ours, nobodys)]
    assert [page.status for page in pages] == [404, 404]
    assert pages[0].body.replace(ours, "") == pages[1].body.replace(nobodys, "")
    for word in ("exempt", "extend", "cancel"):
        form = {"action": word, "by": "1", "unit": "hours"}
        answer = await people.call("POST", f"/challenges/{ours}", by=None, headers=cookie, form=form)
        assert answer.status == 404, word
    assert await snapshot(people, ours) == before


FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "http://127.0.0.1:8080", "sec-fetch-site": "cross-site"},
]


async def test_no_other_sites_page_can_write(people: People) -> None:
    """With the session's cookie: 403 on every write of the API and of the pages; nothing changes."""
    people.github.set_role(OTHERS, "owner", RepoRole.ADMIN)
    ours = await people.challenged(repo_id=OTHERS)
    before = await snapshot(people, ours)
    cookie = await people.sign_in()
    writes = [
        *((m, f"/api/v1/repos/{OTHERS}/{path}", body) for m, path, body in REPOSITORY if m != "GET"),
        *((m, f"/api/v1/challenges/{ours}/{word}", body) for m, word, body in CHALLENGE),
    ]
    forms = [
        *((f"/repos/{OTHERS}/{path}", form) for path, form in FORMS),
        (f"/challenges/{ours}", {"action": "cancel"}),
    ]
    for headers in FOREIGN:
        sent = {**headers, "cookie": cookie}
        for method, path, body in writes:
            answer = await people.call(method, path, body, by=None, headers=sent)
            assert (answer.status, answer.code) == (403, "FORBIDDEN"), (path, headers)
        for path, form in forms:
            answer = await people.call("POST", path, by=None, headers=sent, form=form)
            assert answer.status == 403, (path, headers)
        signed_out = await people.call("POST", "/api/v1/auth/logout", by=None, headers=sent)
        assert signed_out.status == 403
    assert await snapshot(people, ours) == before


async def test_our_own_pages_can_write(people: People) -> None:
    """As a browser sends it; and a bearer token is no cookie, so its origin does not matter."""
    cookie = await people.sign_in()
    sent = {"cookie": cookie, "origin": people.bot.url, "sec-fetch-site": "same-origin"}
    put = {"entries": [ALICE]}
    mine = await people.call("PUT", "/api/v1/repos/999/whitelist", put, by=None, headers=sent)
    token = await people.call("PUT", "/api/v1/repos/999/whitelist", put, headers={"origin": "https://tool.example"})
    assert (mine.status, token.status) == (200, 200)
