"""The frame around the owner's pages, and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Response

from centralbot.domain.challenge import CancelReason, Challenge, ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.events import AuthorAssociation
from centralbot.domain.rules import DRAFT, EXEMPTIONS
from centralbot.domain.trace import sentence, who
from centralbot.entrypoints.guard import AnyonesRequest, CallersRequest
from centralbot.entrypoints.web.render import Flash, Pages, when
from centralbot.ports.use_cases.owner_challenges import OwnerServices


@dataclass(frozen=True, slots=True)
class Frame:
    """A page of the owner's for whoever asked for it. ``web_url`` is GitHub's."""

    pages: Pages
    services: OwnerServices
    web_url: str

    def page(
        self,
        request: AnyonesRequest | CallersRequest,
        template: str,
        *,
        status: int = 200,
        flash: Flash | None = None,
        **context: Any,
    ) -> Response[str]:
        """A page; ``?done=`` names what was just done, for a message of ours."""
        if flash is None and request.method == "GET":
            flash = FLASHES.get(str(request.query_params.get("done", "")))
        return self.pages.page(
            template,
            here=request.url.path,
            caller=request.user,
            flash=flash,
            status=status,
            web_url=self.web_url,
            status_words=STATUS,
            standing=standing,
            outcome=outcome,
            who=who,
            sentence=sentence,
            **context,
        )


S = ChallengeStatus


STATUS: Mapping[ChallengeStatus, tuple[str, str]] = {
    S.PENDING: ("info", "Waiting"),
    S.VERIFIED: ("ok", "Verified"),
    S.EXEMPT: ("ok", "Exempt"),
    S.CANCELED: ("off", "Canceled"),
    S.TIMED_OUT_CLOSED: ("bad", "Timed out"),
}
"""Badge and word of each status."""


MODES: Mapping[Mode, tuple[str, str, str]] = {
    Mode.OFF: ("off", "Off", "Nothing is checked, nothing is recorded."),
    Mode.SHADOW: (
        "info",
        "Shadow",
        "Decides and records what it would have done, and says nothing on GitHub. The place to start.",
    ),
    Mode.ENFORCE: (
        "ok",
        "Enforce",
        "Asks new authors to pass, and closes pull requests whose time runs out. Passing later reopens them.",
    ),
}
"""Badge, word and explanation of each mode."""


ASSOCIATIONS: Mapping[AuthorAssociation, tuple[str, str]] = {
    AuthorAssociation.OWNER: ("Owner", "owns the repository"),
    AuthorAssociation.MEMBER: ("Member", "a public member of the organization; private ones look like contributors"),
    AuthorAssociation.COLLABORATOR: ("Collaborator", "was invited to the repository"),
    AuthorAssociation.CONTRIBUTOR: ("Contributor", "has had a commit merged here before"),
    AuthorAssociation.FIRST_TIME_CONTRIBUTOR: ("First-time contributor", "has never had a commit merged here"),
    AuthorAssociation.FIRST_TIMER: ("First-timer", "has never had a commit merged anywhere on GitHub"),
    AuthorAssociation.MANNEQUIN: ("Mannequin", "stands in for somebody without an account; is always exempt"),
    AuthorAssociation.NONE: ("None", "has nothing to do with the repository yet"),
}


USUAL_ASSOCIATIONS = tuple(ASSOCIATIONS)[:4]


UNITS: Mapping[str, int] = {"minutes": 60, "hours": 3_600, "days": 86_400, "seconds": 1}


FLASHES: Mapping[str, Flash] = {
    "saved": Flash("ok", "Saved. New pull requests follow it; checks under way keep what they began with."),
    "added": Flash("ok", "Added. They are exempt from now on."),
    "removed": Flash("ok", "Removed. Their next pull request is checked like anybody's."),
    "gone": Flash("bad", "That account was no longer on the whitelist; nothing was changed."),
    "exempt": Flash("ok", "The author is exempt now. The comment on the pull request will say so in a moment."),
    "extend": Flash("ok", "The author has more time. The comment on the pull request will say so in a moment."),
    "cancel": Flash("ok", "The check is canceled. The comment on the pull request will say so in a moment."),
}
"""What ``?done=`` may say: nothing else of an address is ever shown as a message."""


_CANCELED: Mapping[str, str] = {
    CancelReason.PR_CLOSED: "The pull request was closed by somebody",
    CancelReason.PR_MERGED: "The pull request was merged",
    CancelReason.DRAFTED: DRAFT.words.owner,
    CancelReason.UNINSTALLED: "The App was uninstalled",
    CancelReason.REPOSITORY_REMOVED: "The repository left the installation",
    CancelReason.NOTICE_FAILED: "Its comment could not be posted, so nobody may be closed for it",
    CancelReason.MAINTAINER: "A maintainer canceled the check",
    CancelReason.SWITCHED_OFF: "The repository was switched off by the deadline",
}


def standing(challenge: Challenge) -> tuple[str, str]:
    """Badge and word for where a challenge stands."""
    if challenge.is_shadow and challenge.status is S.TIMED_OUT_CLOSED:
        return ("warn", "Would be closed")
    return STATUS[challenge.status]


def outcome(challenge: Challenge) -> str:
    """What happened to a challenge and why, in one line."""
    match challenge.status:
        case S.PENDING:
            if challenge.deadline_at is None:
                return "The comment is on its way; the clock starts when it is posted"
            return f"Has until {when(challenge.deadline_at)}"
        case S.VERIFIED:
            return "Passed after the close" if challenge.reason == "LATE" else "Passed in time"
        case S.EXEMPT:
            why = EXEMPTIONS.get(challenge.reason or "")
            return why.words.owner if why else "The author is exempt"
        case S.CANCELED:
            return _CANCELED.get(str(challenge.reason), "It no longer matters")
        case S.TIMED_OUT_CLOSED if challenge.is_shadow:
            return "Time ran out; in enforce mode it would have been closed"
    return "Time ran out, so the pull request was closed"


def window_parts(seconds: int) -> tuple[int, str]:
    """Seconds as a person would type them: a number and a unit."""
    for unit in ("days", "hours", "minutes"):
        if seconds % UNITS[unit] == 0:
            return seconds // UNITS[unit], unit
    return seconds, "seconds"
