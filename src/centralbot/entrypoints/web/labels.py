"""The words of the pages that stand in no template: the owner's, the contributor's, those of failures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from centralbot.domain import config
from centralbot.domain.challenge import CancelReason, Challenge, ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.rules import DRAFT, EXEMPTIONS

_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


@dataclass(frozen=True, slots=True)
class Flash:
    """One message at the top of a page: what was done (``ok``), or what was not (``bad``)."""

    kind: str
    text: str


def name(text: str) -> str:
    """A name of somebody else's on one line: what is invisible or turns the direction of text is shown as such."""
    return _INVISIBLE.sub("\ufffd", text)


def utc(moment: datetime) -> str:
    """For ``<time datetime>``: RFC 3339."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def when(moment: datetime) -> str:
    """For people, with its zone: ``23 Nov 2026, 14:05 UTC``."""
    return f"{moment.day} {moment.strftime('%b %Y, %H:%M')} UTC"


# The owner's pages

STATUS: Mapping[ChallengeStatus, tuple[str, str]] = {
    ChallengeStatus.PENDING: ("info", "Waiting"),
    ChallengeStatus.VERIFIED: ("ok", "Verified"),
    ChallengeStatus.EXEMPT: ("ok", "Exempt"),
    ChallengeStatus.CANCELED: ("off", "Canceled"),
    ChallengeStatus.TIMED_OUT_CLOSED: ("bad", "Timed out"),
}
"""Badge and word of each status."""

_BADGES = {Mode.OFF: "off", Mode.SHADOW: "info", Mode.ENFORCE: "ok"}
MODES: Mapping[Mode, tuple[str, str]] = {mode: (_BADGES[mode], word) for mode, (word, _) in config.MODES.items()}
"""Badge and word of each mode."""

UNITS: Mapping[str, int] = {"minutes": 60, "hours": 3_600, "days": 86_400, "seconds": 1}

FLASHES: Mapping[str, Flash] = {
    "saved": Flash("ok", "Saved. New pull requests use the new settings; checks under way keep their time and proofs."),
    "added": Flash("ok", "Added. They are exempt from now on."),
    "removed": Flash("ok", "Removed. Their next pull request will be checked like anybody else's."),
    "gone": Flash("bad", "That account was no longer on the whitelist; nothing was changed."),
    "exempt": Flash("ok", "The author is exempt now. The comment on the pull request will say so in a moment."),
    "extend": Flash("ok", "The author has more time. The comment on the pull request will say so in a moment."),
    "cancel": Flash("ok", "The check is canceled. The comment on the pull request will say so in a moment."),
}
"""What ``?done=`` may say: nothing else of an address is ever shown as a message."""

OWNERS_CANCELED: Mapping[str, str] = {
    CancelReason.PR_CLOSED: "Somebody closed the pull request",
    CancelReason.PR_MERGED: "The pull request was merged",
    CancelReason.DRAFTED: DRAFT.words.owner,
    CancelReason.UNINSTALLED: "The App was uninstalled",
    CancelReason.REPOSITORY_REMOVED: "The repository left the installation",
    CancelReason.NOTICE_FAILED: "The comment could not be posted, so the pull request will not be closed",
    CancelReason.MAINTAINER: "A maintainer canceled the check",
    CancelReason.SWITCHED_OFF: "centralbot was off in this repository at the deadline",
}


def standing(challenge: Challenge) -> tuple[str, str]:
    """Badge and word for where a challenge stands."""
    if challenge.is_shadow and challenge.status is ChallengeStatus.TIMED_OUT_CLOSED:
        return ("warn", "Would be closed")
    return STATUS[challenge.status]


def outcome(challenge: Challenge) -> str:
    """What happened to a challenge and why, in one line."""
    match challenge.status:
        case ChallengeStatus.PENDING:
            if challenge.deadline_at is None:
                return "The comment is on its way; the clock starts when it is posted"
            return f"Has until {when(challenge.deadline_at)}"
        case ChallengeStatus.VERIFIED:
            return "Passed after the pull request was closed" if challenge.reason == "LATE" else "Passed in time"
        case ChallengeStatus.EXEMPT:
            why = EXEMPTIONS.get(challenge.reason or "")
            return why.words.owner if why else "The author is exempt"
        case ChallengeStatus.CANCELED:
            return OWNERS_CANCELED.get(str(challenge.reason), "The check no longer applies")
        case ChallengeStatus.TIMED_OUT_CLOSED if challenge.is_shadow:
            return "Time ran out; in enforce mode it would have been closed"
    return "Time ran out, so the pull request was closed"


def window_parts(seconds: int) -> tuple[int, str]:
    """Seconds as a person would type them: a number and a unit."""
    for unit in ("days", "hours", "minutes"):
        if seconds % UNITS[unit] == 0:
            return seconds // UNITS[unit], unit
    return seconds, "seconds"


# The contributor's pages

AUTHORS_CANCELED: Mapping[str, str] = {
    CancelReason.PR_CLOSED: "The pull request was closed before the check was passed. Reopening it starts a new check.",
    CancelReason.PR_MERGED: "The pull request was merged, so there is nothing left to check. Congratulations!",
    CancelReason.DRAFTED: DRAFT.words.author,
    CancelReason.UNINSTALLED: "The repository no longer uses centralbot.",
    CancelReason.REPOSITORY_REMOVED: "The repository no longer uses centralbot.",
    CancelReason.NOTICE_FAILED: "We could not comment on the pull request, so there is nothing for you to do.",
    CancelReason.MAINTAINER: "A maintainer canceled the check.",
    CancelReason.SWITCHED_OFF: "The repository no longer requires verification.",
}


def why_exempt(reason: str | None) -> str:
    why = EXEMPTIONS.get(reason or "")
    return why.words.author if why else "There is nothing for its author to do."


def why_canceled(reason: str | None) -> str:
    return AUTHORS_CANCELED.get(reason or "", "The check no longer applies to this pull request.")


# Failures

ERROR_TITLES: Mapping[int, str] = {
    400: "That request was not valid",
    401: "Please sign in again",
    403: "Not allowed",
    404: "Page not found",
    405: "That is not possible here",
    409: "Too late for that",
    413: "That is too much at once",
    429: "Too many requests",
    503: "Temporarily unavailable",
}
FAILED = "Something went wrong"
UNEXPECTED = "This is our fault, not yours, and it has been logged. Nothing was left half done"
MISSING = "This page does not exist, or no longer does. Check the address, or go to the start page"
