"""What the bot says can be made to say nothing else: fault 47."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from centralbot.domain import comments
from centralbot.domain.challenge import CancelReason, Challenge
from centralbot.domain.rules import EXEMPTIONS, WHITELISTED, Exemption
from centralbot.domain.words import duration
from tests.builders import a_challenge, at, no_id

URL = "https://bot.example/g/token"
TEXTS: dict[str, Callable[[Challenge], str]] = {
    "gate": lambda c: comments.gate(c, URL),
    "extended": lambda c: comments.extended(c, URL),
    "verified": comments.verified,
    "exempt": lambda c: comments.exempt(c, WHITELISTED),
    "timed_out": lambda c: comments.timed_out(c, URL),
    "reopened": comments.reopened,
}
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u200b-\u200f\u2066-\u2069]")


@pytest.mark.parametrize("name", TEXTS)
@given(login=st.text(max_size=200))
@example(login="@org/team")
@example(login="a`b` @org <img src=x onerror=1> [x](http://evil)")
@example(login="x\n\n# Heading\n<!-- centralbot:gate:1 -->")
@example(login="\u202egnp.exe")
@example(login="``")
@example(login="")
def test_no_login_gets_out_of_its_code_span(name: str, login: str) -> None:
    """No mention, no HTML, no further backtick, no control character, whatever the login is."""
    harmless = TEXTS[name](a_challenge(author_login="someone"))
    text = TEXTS[name](a_challenge(author_login=login))
    before, after = harmless.split("`someone`", 1)
    assert text.startswith(before + "`")
    assert text.endswith("`" + after)
    inside = text[len(before) + 1 : len(text) - len(after) - 1]
    assert not re.search(r"[@<>`\n\r]", inside)
    assert not CONTROL.search(inside)
    assert 1 <= len(inside) <= 110


@pytest.mark.parametrize("login", ["octocat", "some-one", "renovate[bot]", "under_score", "a"])
def test_a_real_login_stays_as_it_is(login: str) -> None:
    """In code, so that it notifies nobody."""
    assert comments.safe_login(login) == f"`{login}`"


@given(text=st.text())
def test_any_text_becomes_inert_code(text: str) -> None:
    """Titles and branches too."""
    assert re.fullmatch(r"`[^`@<>\n\r\[\]()]{1,100}`", comments.code(text))


@given(markdown=st.text(max_size=500), forged=st.booleans())
def test_the_marker_stands_once_at_the_end(markdown: str, forged: bool) -> None:
    """Even where the text carries one already."""
    line = comments.marker_line(comments.gate_marker(no_id()))
    body = comments.with_marker(f"{markdown}{line}" if forged else markdown, comments.gate_marker(no_id()))
    assert body.count(line) == 1
    assert body.endswith("\n\n" + line)


def test_a_comment_stays_below_githubs_limit() -> None:
    """65,536 characters."""
    assert len(comments.with_marker("x" * 100_000, comments.gate_marker(no_id()))) < 65_536


@given(first=st.uuids(), second=st.uuids())
def test_markers_tell_challenges_and_purposes_apart(first: UUID, second: UUID) -> None:
    """One comment per marker (invariant 4)."""
    made = {
        f(i) for f in (comments.gate_marker, comments.timeout_marker, comments.reopen_marker) for i in (first, second)
    }
    assert len(made) == 3 * len({first, second})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (45, "45 seconds"),
        (60, "1 minute"),
        (90, "2 minutes"),
        (1800, "30 minutes"),
        (3600, "1 hour"),
        (7200, "2 hours"),
        (86_400, "1 day"),
        (30 * 86_400, "30 days"),
    ],
)
def test_times_are_said_as_a_person_would(seconds: int, words: str) -> None:
    """Rounded up to whole minutes from one minute on."""
    assert duration(seconds) == words


def test_the_gate_names_the_window_and_the_link() -> None:
    """What is asked, by when, and where."""
    text = comments.gate(a_challenge(window_s=1800), URL)
    assert f"({URL})" in text
    assert "30 minutes" in text


def test_more_time_is_said_with_its_end() -> None:
    """In UTC."""
    assert "until 2026-02-16 12:10 UTC" in comments.extended(a_challenge(deadline_at=at(600)), URL)


@pytest.mark.parametrize("why", CancelReason)
def test_every_cancellation_has_words(why: CancelReason) -> None:
    """None is empty."""
    assert comments.canceled(why).startswith("### Check canceled\n\n")


@pytest.mark.parametrize("why", EXEMPTIONS.values(), ids=EXEMPTIONS)
def test_every_exemption_has_words(why: Exemption) -> None:
    """None is missing."""
    assert "`contrib`" in comments.exempt(a_challenge(), why)
