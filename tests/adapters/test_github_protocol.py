"""What GitHub's headers and answers mean, without any network."""

from collections.abc import Mapping
from datetime import timedelta

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from centralbot.adapters.github.errors import MINT, classify
from centralbot.adapters.github.protocol import (
    ApiResponse,
    clock_skew_s,
    error_message,
    next_page,
    pause_s,
    redirect_target,
    request_headers,
    same_origin,
    server_time,
)
from centralbot.adapters.github.requests import get_pull, get_user
from centralbot.adapters.github.tokens import app_jwt, load_private_key
from centralbot.domain.errors import ValidationError
from centralbot.ports.github import (
    GitHubError,
    GitHubInstallationUnavailable,
    GitHubRateLimited,
    GitHubRefused,
    GitHubUnavailable,
    PullRequestRef,
)
from tests.builders import T0

COMMENT = "issues/create-comment"


def an_answer(status: int, message: str = "", headers: Mapping[str, str] | None = None) -> ApiResponse:
    body = msgspec.json.encode({"message": message}) if message else b""
    return ApiResponse(status=status, headers=dict(headers or {}), body=body)


def a_fault(response: ApiResponse, *, operation: str = COMMENT, hits: int = 0, jitter: float = 0.0) -> GitHubError:
    return classify(operation, response, now=T0, hits=hits, jitter=jitter)


@pytest.mark.parametrize(
    ("operation", "response", "branch", "reason"),
    [
        (COMMENT, an_answer(500), GitHubUnavailable, "HTTP_500"),
        (COMMENT, an_answer(502, "Server Error"), GitHubUnavailable, "HTTP_502"),
        (COMMENT, an_answer(503, "", {"retry-after": "5"}), GitHubUnavailable, "HTTP_503"),
        (COMMENT, an_answer(304), GitHubUnavailable, "HTTP_304"),
        (COMMENT, an_answer(409, "Conflict"), GitHubUnavailable, "HTTP_409"),
        (COMMENT, an_answer(429), GitHubRateLimited, "RATE_LIMITED"),
        (COMMENT, an_answer(403, "", {"retry-after": "60"}), GitHubRateLimited, "RATE_LIMITED"),
        (COMMENT, an_answer(403, "", {"x-ratelimit-remaining": "0"}), GitHubRateLimited, "RATE_LIMITED"),
        (COMMENT, an_answer(403, "You have exceeded a secondary rate limit."), GitHubRateLimited, "RATE_LIMITED"),
        (COMMENT, an_answer(403, "abuse detection mechanism triggered"), GitHubRateLimited, "RATE_LIMITED"),
        (MINT, an_answer(403, "", {"retry-after": "60"}), GitHubRateLimited, "RATE_LIMITED"),
        (MINT, an_answer(403, "This installation has been suspended"), GitHubInstallationUnavailable, "SUSPENDED"),
        (COMMENT, an_answer(403, "This installation has been suspended"), GitHubInstallationUnavailable, "SUSPENDED"),
        (MINT, an_answer(404, "Not Found"), GitHubInstallationUnavailable, "INSTALLATION_NOT_FOUND"),
        (COMMENT, an_answer(401, "Bad credentials"), GitHubInstallationUnavailable, "BAD_CREDENTIALS"),
        (COMMENT, an_answer(403, "Unable to comment: the issue is locked"), GitHubRefused, "LOCKED"),
        (COMMENT, an_answer(403, "Repository was archived so is read-only"), GitHubRefused, "ARCHIVED"),
        (COMMENT, an_answer(403, "Resource not accessible by integration"), GitHubRefused, "FORBIDDEN"),
        (COMMENT, an_answer(403, "Repository access blocked"), GitHubRefused, "FORBIDDEN"),
        (COMMENT, an_answer(403), GitHubRefused, "FORBIDDEN"),
        (COMMENT, an_answer(404, "Not Found"), GitHubRefused, "NOT_FOUND"),
        (COMMENT, an_answer(410, "Gone"), GitHubRefused, "GONE"),
        (COMMENT, an_answer(422, "Validation Failed"), GitHubRefused, "UNPROCESSABLE"),
        (COMMENT, an_answer(422, "Validation Failed: was submitted too quickly"), GitHubRateLimited, "RATE_LIMITED"),
        (COMMENT, an_answer(451, "DMCA takedown"), GitHubRefused, "HTTP_451"),
    ],
)
def test_every_refusal_has_its_branch(
    operation: str, response: ApiResponse, branch: type[GitHubError], reason: str
) -> None:
    """Each answer that GitHub is known to give becomes the one error that says what to do about it."""
    error = a_fault(response, operation=operation)
    assert (branch, reason, response.status) == (type(error), error.reason, error.status)


@pytest.mark.parametrize("status", [400, 403, 404, 407, 410, 422, 451])
@pytest.mark.parametrize("body", [b"<html>Blocked by your proxy</html>", b"Forbidden", b"[]", b"\xff"])
def test_a_refusal_that_is_not_in_githubs_words_is_not_its_last_word(status: int, body: bytes) -> None:
    """Something in between gave it: a proxy's page must not be the end of an action."""
    error = a_fault(ApiResponse(status=status, headers={}, body=body))
    assert (GitHubUnavailable, f"HTTP_{status}", status) == (type(error), error.reason, error.status)


@pytest.mark.parametrize(
    ("headers", "hits", "jitter", "expected_s"),
    [
        ({"retry-after": "60"}, 0, 0.9, 60.0),
        ({"retry-after": "0"}, 0, 0.0, 1.0),
        ({"retry-after": "99999999"}, 0, 0.0, 7_200.0),
        ({"retry-after": "Mon, 16 Feb 2026 12:01:30 GMT"}, 0, 0.0, 90.0),
        ({"retry-after": "30", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"}, 0, 0.0, 30.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(T0.timestamp()) + 600)}, 0, 0.0, 600.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(T0.timestamp()) + 600)}, 0, 0.5, 605.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(T0.timestamp()) - 5)}, 0, 0.0, 1.0),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(int(T0.timestamp()) + 600)}, 0, 0.0, 60.0),
        ({"retry-after": "soon"}, 0, 0.0, 60.0),
        ({}, 0, 0.0, 60.0),
        ({}, 1, 0.0, 120.0),
        ({}, 3, 0.0, 480.0),
        ({}, 500, 0.0, 3_600.0),
    ],
)
def test_a_rate_limit_says_how_long(headers: dict[str, str], hits: int, jitter: float, expected_s: float) -> None:
    """Retry-after rules, then the reset of an empty budget, then a minute that doubles up to an hour."""
    assert expected_s == pause_s(headers, now=T0, hits=hits, jitter=jitter)


def test_a_wrong_clock_does_not_lengthen_a_pause() -> None:
    """The time until the reset is counted from GitHub's own Date, not from ours six minutes off."""
    headers = {
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(int(T0.timestamp()) + 60),
        "date": "Mon, 16 Feb 2026 12:00:00 GMT",
    }
    assert pause_s(headers, now=T0 - timedelta(minutes=6), hits=0, jitter=0.0) == 60.0


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("", None),
        ('<https://h/x?page=2>; rel="next", <https://h/x?page=3>; rel="last"', "https://h/x?page=2"),
        ('<https://h/x?page=1>; rel="prev", <https://h/x?page=3>; rel="next"', "https://h/x?page=3"),
        ('<https://h/x?a=1,2&page=2>; rel="next"', "https://h/x?a=1,2&page=2"),
        ("<https://h/2>; rel=next", "https://h/2"),
        ('<https://h/2>; title="a"; rel="last next"', "https://h/2"),
        ('<https://h/1>; rel="first", <https://h/9>; rel="last"', None),
        ('<https://h/1>; rel="nextish"', None),
    ],
)
def test_the_next_page_is_read_from_the_link_header(link: str, expected: str | None) -> None:
    """Only a target whose relation is next is one."""
    assert expected == next_page({"link": link})


@given(st.text(), st.text(), st.text())
def test_no_header_breaks_the_reading(link: str, date: str, number: str) -> None:
    """Whatever stands in a header, reading it gives a value and no exception."""
    headers = {"link": link, "date": date, "retry-after": number, "x-ratelimit-reset": number, "location": link}
    next_page(headers)
    server_time(headers)
    redirect_target("https://api.github.com/x", ApiResponse(status=301, headers=headers, body=b""))
    assert 1.0 <= pause_s(headers, now=T0, hits=0, jitter=0.99) <= 7_210.0


@given(st.binary() | st.text().map(lambda text: msgspec.json.encode({"message": text})))
def test_a_message_is_one_short_line(body: bytes) -> None:
    """GitHub's words are kept short, on one line and never empty, whatever the body holds."""
    message = error_message(502, body)
    assert (0 < len(message) <= 200, [c for c in message if c in "\r\n\x00\x1b\u2028"]) == (True, [])


def test_a_message_carries_details_and_no_token() -> None:
    """The details of a 422 are kept; what looks like a token is not."""
    body = msgspec.json.encode(
        {"message": "Validation Failed", "errors": [{"message": "branch gone"}, "ghs_" + "a1B2" * 10]}
    )
    assert error_message(422, body) == "Validation Failed: branch gone; [token]"


@pytest.mark.parametrize("errors", ["gone", {"x": 1}, [1], [None], 7, None])
def test_details_in_another_form_do_not_hide_the_message(errors: object) -> None:
    """What is documented of them is not all that is sent."""
    assert error_message(422, msgspec.json.encode({"message": "No", "errors": errors})) == "No"


def test_a_deep_body_is_only_a_status() -> None:
    """JSON nested 100,000 deep is not parsed to death."""
    assert error_message(500, b'{"message":' + b"[" * 100_000) == "HTTP 500"


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("https://api.github.com/repositories/1", True),
        ("https://api.github.com:443/x", True),
        ("http://api.github.com/x", False),
        ("https://api.github.com.evil.example/x", False),
        ("https://evil.example/api.github.com", False),
        ("https://api.github.com:8443/x", False),
        ("https://me@api.github.com/x", False),
        ("https://[bad/x", False),
    ],
)
def test_what_is_asked_stays_with_its_origin(other: str, expected: bool) -> None:
    """Scheme, host and port must all be GitHub's."""
    assert expected == same_origin("https://api.github.com", other)


@pytest.mark.parametrize(
    ("status", "location", "expected"),
    [
        (301, "https://h/repositories/1/pulls/2", "https://h/repositories/1/pulls/2"),
        (307, "/repositories/1", "https://h/repositories/1"),
        (308, "https://h/z", "https://h/z"),
        (302, "https://h/z", "https://h/z"),
        (303, "https://h/z", None),
        (301, "", None),
        (301, "file:///etc/passwd", None),
        (200, "https://h/z", None),
    ],
)
def test_a_redirect_leads_to_web_addresses_only(status: int, location: str, expected: str | None) -> None:
    """301, 302, 307 and 308 are followed, with http and https targets."""
    response = ApiResponse(status=status, headers={"location": location}, body=b"")
    assert expected == redirect_target("https://h/repos/o/r", response)


def test_the_skew_is_ours_minus_github_s() -> None:
    """Six minutes ahead is +360 s; without a Date nothing is known."""
    headers = {"date": "Mon, 16 Feb 2026 11:54:00 GMT"}
    assert (clock_skew_s(headers, T0), clock_skew_s({}, T0)) == (360.0, None)


def test_requests_name_the_version_and_themselves() -> None:
    """Version, media type and User-Agent go with every request; a credential only where there is one."""
    expected = {
        "Accept": "application/vnd.github+json",
        "User-Agent": "centralbot",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    assert expected == request_headers(authorization=None, user_agent="centralbot")


@pytest.mark.parametrize("name", ["", "x", "../..", "o/..", "a/b/c", "o/r?x=1", "o/r#", "o/r%2f", "ö/r", "o/r\n"])
def test_a_name_that_is_none_is_not_put_into_a_path(name: str) -> None:
    """What cannot be a full name is asked for by id."""
    ref = PullRequestRef(installation_id=1, repo_id=7, repo_full_name=name, number=3)
    assert get_pull(ref).path == "/repositories/7/pulls/3"


def test_a_bot_login_is_escaped() -> None:
    """The brackets of a bot's login are percent-encoded."""
    assert get_user("centralbot[bot]").path == "/users/centralbot%5Bbot%5D"


def test_the_app_jwt_is_as_github_asks() -> None:
    """RS256, issued a minute ago, ended within ten minutes, the issuer a string."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = app_jwt("4711", key, T0)
    claims = jwt.decode(
        token, key.public_key(), algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
    )
    now_s = int(T0.timestamp())
    assert {"iat": now_s - 60, "exp": now_s + 540, "iss": "4711"} == claims


def test_a_key_may_come_on_one_line() -> None:
    """A PEM whose line ends are written as backslash and n is read; another kind of key names the setting."""
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    one_line = _pem(rsa_key).replace("\n", "\\n")
    assert rsa_key.private_numbers() == load_private_key(one_line).private_numbers()
    for bad in ("", "nonsense", _pem(ec.generate_private_key(ec.SECP256R1()))):
        with pytest.raises(ValidationError, match="CENTRALBOT_GITHUB_APP_PRIVATE_KEY"):
            load_private_key(bad)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
