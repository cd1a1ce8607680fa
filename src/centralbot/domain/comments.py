"""What the bot says on pull requests, and the markers by which it finds its own words again.

Every text that comes from outside passes :func:`safe_login` or :func:`code`: no mention, no HTML, no Markdown and no
control character of somebody else's gets into a comment.
"""

from __future__ import annotations

import re
from uuid import UUID

from centralbot.domain.challenge import CancelReason, Challenge
from centralbot.domain.rules import DRAFT, Exemption
from centralbot.domain.words import duration

MAX_COMMENT_CHARS = 60_000
"""Below GitHub's own limit of 65,536 characters."""

_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})(?:\[bot\])?")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff`<>&\[\]()@#\\|*~!]")


def gate_marker(challenge_id: UUID) -> str:
    return f"centralbot:gate:{challenge_id}"


def timeout_marker(challenge_id: UUID) -> str:
    return f"centralbot:timeout:{challenge_id}"


def reopen_marker(challenge_id: UUID) -> str:
    return f"centralbot:reopen:{challenge_id}"


def marker_line(marker: str) -> str:
    """The marker as it stands in a comment: an HTML comment that GitHub does not show."""
    return f"<!-- {marker} -->"


def with_marker(markdown: str, marker: str) -> str:
    """The body to send: the text and, once, its marker, within GitHub's limit."""
    line = marker_line(marker)
    return f"{markdown[:MAX_COMMENT_CHARS].replace(line, '').rstrip()}\n\n{line}"


def code(text: str) -> str:
    """Any text as inert inline code: nothing in it can mention, link, or end the code span."""
    return "`" + (_UNSAFE.sub(" ", text).strip()[:100] or "?") + "`"


def safe_login(login: str) -> str:
    """A login as inline code, so that it notifies nobody; a string that is no login is reduced to harmless text."""
    return f"`{login}`" if _LOGIN.fullmatch(login) else code(login)


def gate(challenge: Challenge, url: str) -> str:
    """The first comment: what is asked, by when, and what happens otherwise."""
    return (
        f"### One step before review\n\n"
        f"Hello {safe_login(challenge.author_login)}, this repository asks new authors to confirm that a person "
        f"stands behind a pull request. It takes less than a minute:\n\n"
        f"**[Verify this pull request]({url})**\n\n"
        f"You have {duration(challenge.window_s)} from this comment on. After that the pull request is closed; "
        f"verifying later reopens it where GitHub allows that. Only the author can verify."
    )


def extended(challenge: Challenge, url: str) -> str:
    """The gate comment once a maintainer has given more time."""
    until = "" if challenge.deadline_at is None else f" until {challenge.deadline_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"### One step before review\n\n"
        f"A maintainer has given {safe_login(challenge.author_login)} more time{until}.\n\n"
        f"**[Verify this pull request]({url})**"
    )


def verified(challenge: Challenge) -> str:
    return f"### Verified\n\n{safe_login(challenge.author_login)} has passed the check. Nothing more to do; thank you!"


def exempt(challenge: Challenge, why: Exemption) -> str:
    return f"### No check needed\n\n{safe_login(challenge.author_login)} {why.words.comment}. Nothing to do."


_CANCELED = {
    CancelReason.DRAFTED: DRAFT.words.comment,
    CancelReason.MAINTAINER: "A maintainer has canceled the check. Nothing to do.",
    CancelReason.SWITCHED_OFF: "This repository no longer requires verification. Nothing to do.",
}


def canceled(why: CancelReason) -> str:
    return f"### Check canceled\n\n{_CANCELED.get(why, 'This check no longer applies. Nothing to do.')}"


def timed_out(challenge: Challenge, url: str) -> str:
    """Said before the bot closes: why, and how the pull request comes back."""
    return (
        f"### Closed for now\n\n"
        f"The check was not passed within {duration(challenge.window_s)}, so this pull request is closed. "
        f"Nothing is lost: {safe_login(challenge.author_login)} can still [verify]({url}), and it is reopened "
        f"if GitHub still allows it."
    )


def reopened(challenge: Challenge) -> str:
    return f"### Reopened\n\n{safe_login(challenge.author_login)} has passed the check. Welcome back!"


def cannot_reopen() -> str:
    """Said after a late verification where GitHub refuses the reopen: the head branch is gone or was rewritten."""
    return (
        "### Verified, but it stays closed\n\n"
        "The check is passed, but GitHub no longer allows reopening this pull request: its branch was deleted or "
        "rewritten since. Please open a new pull request with your changes."
    )
