"""The client against a scripted GitHub: redirects, stale names, tokens, pauses, clocks, broken answers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from centralbot.adapters.github.app import GitHubApp, GitHubSettings, open_github
from centralbot.ports.github import (
    GitHubInstallationUnavailable,
    GitHubRateLimited,
    GitHubRefused,
    GitHubUnavailable,
    PullRequestRef,
)
from tests.doubles.memory.clock import START, ManualClock

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
REF = PullRequestRef(installation_id=123, repo_id=999, repo_full_name="org/repo", number=42)
PULL = {"state": "open", "head": {"sha": "a" * 40}, "base": {"repo": {"id": 999}}, "user": {"id": 2002}}
CREATE = "/repos/org/repo/issues/42/comments"

Answer = httpx.Response | Callable[[httpx.Request], httpx.Response]


class Script:
    """A GitHub that answers what it is told: per path, one answer after the other, the last one for ever."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.skew_s = 0.0
        self.sent: list[httpx.Request] = []
        self.answers: dict[str, list[Answer]] = {}
        self.mints = 0

    def on(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)

    def now(self) -> datetime:
        return self.clock.now() - timedelta(seconds=self.skew_s)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        path = request.url.raw_path.decode().removeprefix("/api/v3")
        if path.startswith("/app/installations/") and path not in self.answers:
            self.mints += 1
            expires_at = (self.now() + timedelta(hours=1)).isoformat()
            return self._dated(httpx.Response(201, json={"token": f"t{self.mints}", "expires_at": expires_at}))
        answers = self.answers[path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return self._dated(answer(request) if callable(answer) else _fresh(answer))

    def _dated(self, response: httpx.Response) -> httpx.Response:
        response.headers.setdefault("date", format_datetime(self.now(), usegmt=True))
        return response

    @property
    def paths(self) -> list[str]:
        """What was asked, tokens left out."""
        asked = [f"{request.method} {request.url.raw_path.decode()}" for request in self.sent]
        return [line for line in asked if "access_tokens" not in line]


def _fresh(response: httpx.Response) -> httpx.Response:
    return httpx.Response(response.status_code, headers=response.headers, content=response.content)


def said(status: int, message: str, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json={"message": message}, headers={key.replace("_", "-"): v for key, v in headers.items()}
    )


@asynccontextmanager
async def github(script: Script, **options: Any) -> AsyncIterator[GitHubApp]:
    settings = GitHubSettings(app_id="4711", private_key_pem=PEM, **options)
    transport = httpx.MockTransport(script.handle)
    async with open_github(settings, clock=script.clock, jitter=lambda: 0.0, http_transport=transport) as app:
        yield app


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def script(clock: ManualClock) -> Script:
    return Script(clock)


async def test_a_comment_is_one_request(script: Script) -> None:
    """Beyond the token, posting, reading and closing cost one request each, and only ``state`` is sent to close."""
    script.on(CREATE, httpx.Response(201, json={"id": 5}))
    closed = httpx.Response(200, json={**PULL, "state": "closed"})
    script.on("/repos/org/repo/pulls/42", httpx.Response(200, json=PULL), closed)
    async with github(script) as app:
        assert await app.comments.create(REF, "hello") == 5
        await app.pull_requests.get(REF)
        await app.pull_requests.close(REF)
    pull = "/repos/org/repo/pulls/42"
    assert ([f"POST {CREATE}", f"GET {pull}", f"PATCH {pull}"], 1) == (script.paths, script.mints)
    assert script.sent[-1].content == b'{"state":"closed"}'


async def test_an_enterprise_server_has_its_own_base(script: Script) -> None:
    """GHES answers below /api/v3."""
    script.on(CREATE, httpx.Response(201, json={"id": 5}))
    async with github(script, api_url="https://ghes.example/api/v3/") as app:
        await app.comments.create(REF, "hello")
    assert str(script.sent[-1].url) == f"https://ghes.example/api/v3{CREATE}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_rename_is_followed_with_method_body_and_token(script: Script, status: int) -> None:
    """A redirect keeps the POST a POST; the next request goes by id straight away."""
    by_id = "/repositories/999/issues/42/comments"
    script.on(CREATE, httpx.Response(status, headers={"location": f"https://api.github.com{by_id}"}))
    script.on(by_id, httpx.Response(201, json={"id": 5}))
    async with github(script) as app:
        await app.comments.create(REF, "hello")
        await app.comments.create(REF, "hello")
    assert [f"POST {CREATE}", f"POST {by_id}", f"POST {by_id}"] == script.paths
    followed = script.sent[2]
    assert (followed.content, followed.headers.get("authorization")) == (b'{"body":"hello"}', "token t1")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/x", "http://api.github.com/x", "https://api.github.com:8443/x", "//evil.example/x",
     "https://me:pw@api.github.com/x", "http://h:99999/", "http://xn--/", "http://.../", "http://[::1"],
)  # fmt: skip
async def test_no_other_server_is_asked_or_believed(script: Script, status: int, elsewhere: str) -> None:
    """Its 200 would be a comment that is not there, and a pull request closed that is open."""
    pull = "/repos/org/repo/pulls/42"
    for path in (CREATE, pull):
        script.on(path, httpx.Response(status, headers={"location": elsewhere}))
    async with github(script) as app:
        for call in (app.comments.create(REF, "hello"), app.pull_requests.get(REF), app.pull_requests.close(REF)):
            with pytest.raises(GitHubUnavailable) as error:
                await call
            assert error.value.reason in ("REDIRECT", "NETWORK")
    assert [f"POST {CREATE}", f"GET {pull}", f"PATCH {pull}"] == script.paths


async def test_a_next_page_at_another_server_is_not_read(script: Script) -> None:
    """What it lists would be ours to rewrite, and to count."""
    link = {"link": '<https://evil.example/x?page=2>; rel="next"'}
    script.on(f"{CREATE}?per_page=100", httpx.Response(200, json=[], headers=link))
    script.on("/app", httpx.Response(200, json={"id": 9}))
    async with github(script) as app:
        with pytest.raises(GitHubUnavailable) as error:
            await app.comments.find_own(REF, "m")
    assert (error.value.reason, "CENTRALBOT_GITHUB_API_URL" in error.value.message) == ("REDIRECT", True)
    assert {request.url.host for request in script.sent} == {"api.github.com"}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>Please log in</html>"),
        httpx.Response(200, json=["ok"]),
        httpx.Response(204),
    ],
)
async def test_a_write_is_done_when_github_says_so(script: Script, answer: httpx.Response) -> None:
    """Another page's 200 is none: whether it was done is unknown then."""
    pull, comment = "/repos/org/repo/pulls/42", "/repos/org/repo/issues/comments/5"
    script.on(pull, answer)
    script.on(comment, answer)
    async with github(script) as app:
        for call in (app.pull_requests.close(REF), app.pull_requests.reopen(REF), app.comments.update(REF, 5, "hello")):
            with pytest.raises(GitHubUnavailable) as error:
                await call
            assert error.value.reason == "BAD_ANSWER"


async def test_a_pull_request_in_another_state_than_asked_for_is_not_done(script: Script) -> None:
    """GitHub's 200 says what became of it."""
    script.on("/repos/org/repo/pulls/42", httpx.Response(200, json=PULL))
    async with github(script) as app:
        await app.pull_requests.reopen(REF)
        with pytest.raises(GitHubUnavailable) as error:
            await app.pull_requests.close(REF)
    assert error.value.reason == "BAD_ANSWER"


async def test_a_redirect_loop_ends(script: Script) -> None:
    """Redirects are followed a bounded number of times."""
    script.on(CREATE, httpx.Response(307, headers={"location": CREATE}))
    async with github(script) as app:
        with pytest.raises(GitHubUnavailable) as error:
            await app.comments.create(REF, "hello")
    assert (error.value.reason, len(script.paths)) == ("REDIRECT", 4)


async def test_a_name_that_leads_nowhere_is_tried_by_id_once(script: Script) -> None:
    """404 under the name: once more by id; 404 there too: NOT_FOUND."""
    script.on(CREATE, said(404, "Not Found"))
    by_id = "/repositories/999/issues/42/comments"
    script.on(by_id, httpx.Response(201, json={"id": 5}), said(404, "Not Found"))
    async with github(script) as app:
        assert await app.comments.create(REF, "hello") == 5
        with pytest.raises(GitHubRefused) as error:
            await app.comments.create(REF, "hello")
    assert ([f"POST {CREATE}", f"POST {by_id}", f"POST {by_id}"], "NOT_FOUND") == (script.paths, error.value.reason)


async def test_a_name_taken_by_another_repository_is_noticed(script: Script) -> None:
    """The answer's repository id decides: a repository that took over the old name is not ours."""
    script.on("/repos/org/repo/pulls/42", httpx.Response(200, json={**PULL, "base": {"repo": {"id": 1}}}))
    script.on("/repositories/999/pulls/42", httpx.Response(200, json={**PULL, "state": "closed"}))
    async with github(script) as app:
        assert not (await app.pull_requests.get(REF)).is_open
        await app.pull_requests.close(REF)
    assert script.paths[-1] == "PATCH /repositories/999/pulls/42"


async def test_a_token_revoked_in_mid_batch_is_replaced(script: Script, clock: ManualClock) -> None:
    """A 401 to a token that has served a while: one new one, and on, without a wait."""
    script.on(CREATE, httpx.Response(201, json={"id": 1}), said(401, "Bad"), httpx.Response(201, json={"id": 2}))
    async with github(script) as app:
        await app.comments.create(REF, "one")
        clock.advance(60)
        assert await app.comments.create(REF, "two") == 2
    assert (script.mints, clock.monotonic_s(), script.sent[-1].headers["authorization"]) == (2, 60.0, "token t2")


@pytest.mark.parametrize(("status", "message"), [(401, "Bad credentials"), (403, "Resource not accessible")])
async def test_a_fresh_token_is_given_a_moment(script: Script, clock: ManualClock, status: int, message: str) -> None:
    """A token refused right after it was minted is tried again after 1, 2 and 3 s."""
    no = said(status, message)
    script.on(CREATE, no, no, no, httpx.Response(201, json={"id": 1}))
    async with github(script) as app:
        assert await app.comments.create(REF, "one") == 1
    assert (script.mints, clock.monotonic_s()) == (1, 6.0)


async def test_a_write_that_is_sent_again_is_asked_for_again(script: Script) -> None:
    """The waits for a token may outlast a lease: then nothing more is sent."""
    script.on(CREATE, said(401, "Bad"))

    def ready() -> None:
        if script.paths:
            raise InterruptedError

    async with github(script) as app:
        with pytest.raises(InterruptedError):
            await app.comments.create(REF, "one", ready=ready)
    assert [f"POST {CREATE}"] == script.paths


async def test_a_token_that_was_long_in_coming_is_fresh_all_the_same(script: Script, clock: ManualClock) -> None:
    """What counts is how long GitHub has known it."""

    def late(_: httpx.Request) -> httpx.Response:
        clock.advance(8)
        return httpx.Response(201, json={"token": "t", "expires_at": (script.now() + timedelta(hours=1)).isoformat()})

    script.on("/app/installations/123/access_tokens", late)
    script.on(CREATE, said(401, "Bad credentials"), httpx.Response(201, json={"id": 5}))
    async with github(script) as app:
        assert await app.comments.create(REF, "hello") == 5
    assert [request.url.path for request in script.sent].count("/app/installations/123/access_tokens") == 1


@pytest.mark.parametrize(
    "token",
    [
        {"token": "t", "expires_at": "2026-02-16T13:00:00"},
        {"token": "t", "expires_at": "soon"},
        {"token": "t\r\nx: y", "expires_at": "2026-02-16T13:00:00Z"},
        {"token": "", "expires_at": "2026-02-16T13:00:00Z"},
    ],
)
async def test_a_token_that_cannot_be_used_is_no_answer(script: Script, token: dict[str, str]) -> None:
    """As everything else that is not as GitHub describes it."""
    script.on("/app/installations/123/access_tokens", httpx.Response(201, json=token))
    async with github(script) as app:
        with pytest.raises(GitHubUnavailable) as error:
            await app.comments.create(REF, "hello")
    assert error.value.reason == "BAD_ANSWER"


async def test_a_second_401_pauses_the_installation(script: Script, clock: ManualClock) -> None:
    """When the new token is refused as well, it is the installation's trouble, not the action's."""
    script.on(CREATE, said(401, "Bad credentials"))
    async with github(script) as app:
        with pytest.raises(GitHubInstallationUnavailable) as error:
            await app.comments.create(REF, "one")
    assert (error.value.reason, script.mints, len(script.paths)) == ("BAD_CREDENTIALS", 2, 5)


async def test_a_limit_silences_only_its_installation(script: Script, clock: ManualClock) -> None:
    """After a rate limit nothing of that installation is sent until the pause is over; others go on."""
    other = PullRequestRef(installation_id=5, repo_id=6, repo_full_name="a/b", number=7)
    script.on(CREATE, said(403, "secondary rate limit", retry_after="60"), httpx.Response(201, json={"id": 1}))
    script.on("/repos/a/b/issues/7/comments", httpx.Response(201, json={"id": 2}))
    async with github(script) as app:
        for _ in range(2):
            with pytest.raises(GitHubRateLimited) as error:
                await app.comments.create(REF, "one")
        assert (error.value.pause_s, await app.comments.create(other, "x")) == (60.0, 2)
        clock.advance(60)
        assert await app.comments.create(REF, "one") == 1
    assert len([path for path in script.paths if path.endswith(CREATE)]) == 2


async def test_limits_without_headers_grow(script: Script, clock: ManualClock) -> None:
    """429 after 429: 60 s, 120 s, 240 s; after a success 60 s again."""
    no, yes = said(429, "slow down"), httpx.Response(201, json={"id": 1})
    script.on(CREATE, no, no, no, yes, no)
    pauses = []
    async with github(script) as app:
        for _ in range(5):
            try:
                await app.comments.create(REF, "one")
            except GitHubRateLimited as error:
                pauses.append(error.pause_s)
                clock.advance(error.pause_s)
    assert pauses == [60.0, 120.0, 240.0, 60.0]


@pytest.mark.parametrize("skew_s", [360.0, -360.0])
async def test_a_clock_six_minutes_off_still_signs_in(script: Script, skew_s: float) -> None:
    """The JWT is made again by GitHub's clock, and the skew is there to be told."""
    script.skew_s = skew_s
    app_path = "/app/installations?per_page=100"

    def check(request: httpx.Request) -> httpx.Response:
        value = request.headers["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(value, options={"verify_signature": False})
        good = claims["iat"] <= script.now().timestamp() <= claims["exp"] <= script.now().timestamp() + 600
        return httpx.Response(200, json=[]) if good else said(401, "'iat' is in the future")

    script.on(app_path, check)
    async with github(script) as app:
        assert app.clock_skew_s is None
        assert await app.installations.list_installations() == []
        assert app.clock_skew_s == skew_s


async def test_a_wrong_key_is_not_the_actions_fault(script: Script) -> None:
    """A JWT that GitHub refuses pauses the installation."""
    script.on("/app/installations/123/access_tokens", said(401, "A JSON web token could not be decoded"))
    async with github(script) as app:
        with pytest.raises(GitHubInstallationUnavailable, match="could not be decoded"):
            await app.comments.create(REF, "one")
    assert len(script.sent) == 1


@pytest.mark.parametrize("body", [b"<html>", b'{"id":', b'{"id":"five"}', b"[]", b"\xff", b"[" * 100_000])
async def test_an_answer_that_cannot_be_read_leaves_the_outcome_open(script: Script, body: bytes) -> None:
    """A 201 with a broken body may have made the comment: read before writing again."""
    script.on(CREATE, httpx.Response(201, content=body))
    async with github(script) as app:
        with pytest.raises(GitHubUnavailable) as error:
            await app.comments.create(REF, "one")
    assert error.value.reason == "BAD_ANSWER"


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (httpx.ConnectError("no route"), "NETWORK"),
        (httpx.ReadTimeout("slow"), "TIMEOUT"),
        (httpx.RemoteProtocolError("cut"), "NETWORK"),
    ],
)
async def test_a_network_that_fails_is_unavailable(script: Script, raised: httpx.HTTPError, reason: str) -> None:
    """No library's exception crosses the port, and the callback hears of status 0."""
    heard: list[tuple[str, int]] = []

    def fail(request: httpx.Request) -> httpx.Response:
        raise raised

    script.on(CREATE, fail)
    settings = GitHubSettings(app_id="4711", private_key_pem=PEM)
    async with open_github(
        settings,
        clock=script.clock,
        jitter=lambda: 0.0,
        on_request=lambda operation, status, seconds: heard.append((operation, status)),
        http_transport=httpx.MockTransport(script.handle),
    ) as app:
        with pytest.raises(GitHubUnavailable) as error:
            await app.comments.create(REF, "one")
    assert (reason, ("issues/create-comment", 0)) == (error.value.reason, heard[-1])


async def test_a_pull_request_merged_a_moment_ago_counts_as_closed(script: Script) -> None:
    """422 on closing: it is read again, and closed by whomever is closed."""
    merged = {**PULL, "state": "closed", "merged": True}
    script.on("/repos/org/repo/pulls/42", said(422, "Validation Failed"), httpx.Response(200, json=merged))
    async with github(script) as app:
        await app.pull_requests.close(REF)
    assert len(script.paths) == 2


async def test_deliveries_are_read_back_to_the_day_asked_for(script: Script) -> None:
    """Pages are read until one reaches past ``since``; an enterprise's null action is no trouble."""
    first, second = "/app/hook/deliveries?per_page=100", "/app/hook/deliveries?per_page=100&cursor=v1_2"

    def a_delivery(number: int, hours_ago: int, status_code: int = 200) -> dict[str, Any]:
        at = (START - timedelta(hours=hours_ago)).isoformat()
        return {"id": number, "guid": "g", "event": "ping", "action": None, "delivered_at": at} | {
            "status_code": status_code
        }

    link = {"link": f'<https://api.github.com{second}>; rel="next"'}
    script.on(first, httpx.Response(200, json=[a_delivery(9, 1), a_delivery(8, 2, 502)], headers=link))
    more = {"link": '<https://api.github.com/never>; rel="next"'}
    script.on(second, httpx.Response(200, json=[a_delivery(7, 3), a_delivery(6, 30)], headers=more))
    async with github(script) as app:
        found = await app.installations.list_deliveries(since=START - timedelta(hours=24))
    assert [(delivery.id, delivery.ok) for delivery in found] == [(9, True), (8, False), (7, True)]


async def test_what_a_person_writes_through_our_app_is_not_ours(script: Script) -> None:
    """Only the bot user's comments count: not a person's through our App, not another App's, not a lost author's."""
    line = "<!-- centralbot:gate:1 -->"
    comments = [
        {"id": 1, "body": line, "user": {"id": 50, "type": "User"}, "performed_via_github_app": {"id": 4711}},
        {"id": 2, "body": line, "user": {"id": 77, "type": "Bot"}, "performed_via_github_app": {"id": 99}},
        {"id": 3, "body": line, "user": None, "performed_via_github_app": {"id": 4711}},
        {"id": 4, "body": None, "user": {"id": 77, "type": "Bot"}},
        {"id": 5, "body": f"hi {line}", "user": {"id": 77, "type": "Bot"}, "performed_via_github_app": None},
    ]
    script.on(f"{CREATE}?per_page=100", httpx.Response(200, json=comments))
    script.on("/app", httpx.Response(200, json={"id": 4711, "slug": "gate"}))
    script.on("/users/gate%5Bbot%5D", httpx.Response(200, json={"id": 77}))
    async with github(script) as app:
        found = [await app.comments.find_own(REF, "centralbot:gate:1") for _ in range(2)]
    assert (found, script.paths.count("GET /app")) == ([5, 5], 1)


async def test_one_installation_that_refuses_does_not_hide_who_we_are_from_the_others(script: Script) -> None:
    """An organization's list of addresses, say; without the bot's user an old server's comments could not be known."""
    ours = {"id": 5, "body": "<!-- centralbot:gate:1 -->", "user": {"id": 77, "type": "Bot"}}
    script.on(f"{CREATE}?per_page=100", httpx.Response(200, json=[ours]))
    script.on("/app", httpx.Response(200, json={"id": 4711, "slug": "gate"}))
    refusal = said(403, "the organization has an IP allow list enabled")
    script.on("/users/gate%5Bbot%5D", *[refusal] * 4, httpx.Response(200, json={"id": 77}))
    async with github(script) as app:
        with pytest.raises(GitHubRefused):
            await app.comments.find_own(REF, "centralbot:gate:1")
        assert await app.comments.find_own(REF, "centralbot:gate:1") == 5


async def test_a_server_that_does_not_show_our_user_is_asked_for_it_once(script: Script) -> None:
    """Ours are then those of a bot, through our App."""
    ours = {"id": 5, "body": "<!-- centralbot:gate:1 -->", "user": {"id": 77, "type": "Bot"}}
    script.on(f"{CREATE}?per_page=100", httpx.Response(200, json=[{**ours, "performed_via_github_app": {"id": 4711}}]))
    script.on("/app", httpx.Response(200, json={"id": 4711, "slug": "gate"}))
    script.on("/users/gate%5Bbot%5D", said(404, "Not Found"))
    async with github(script) as app:
        found = [await app.comments.find_own(REF, "centralbot:gate:1") for _ in range(2)]
    assert (found, script.paths.count("GET /users/gate%5Bbot%5D")) == ([5, 5], 1)
