"""Why a check is over, in words for its author."""

from __future__ import annotations

from collections.abc import Mapping

from centralbot.domain.challenge import CancelReason
from centralbot.domain.policy import Exemption

EXEMPT: Mapping[str, str] = {
    Exemption.BOT: "It was opened by a bot that this repository lets through.",
    Exemption.GHOST: "Its author's account no longer exists.",
    Exemption.WHITELISTED: "Its author is on this repository's list of people who need not pass.",
    Exemption.ASSOCIATION: "Its author belongs to this repository.",
    Exemption.MAINTAINER_REOPENED: "A maintainer reopened it, which lets its author in.",
    Exemption.MAINTAINER: "A maintainer let its author in by hand.",
    Exemption.LABELED: "A maintainer put a label on it that lets its author in.",
}

CANCELED: Mapping[str, str] = {
    CancelReason.PR_CLOSED: "The pull request was closed before the check was passed. Reopened, it gets a new one.",
    CancelReason.PR_MERGED: "The pull request was merged, so there is nothing left to check. Congratulations!",
    CancelReason.DRAFTED: "The pull request is a draft now. The check starts anew when it is ready for review.",
    CancelReason.UNINSTALLED: "The repository does not use centralbot any more.",
    CancelReason.REPOSITORY_REMOVED: "The repository does not use centralbot any more.",
    CancelReason.NOTICE_FAILED: "We could not comment on the pull request, so nothing is asked of you.",
    CancelReason.MAINTAINER: "A maintainer called the check off.",
    CancelReason.SWITCHED_OFF: "The repository asks nobody any more.",
}


def why_exempt(reason: str | None) -> str:
    return EXEMPT.get(reason or "", "Nothing is asked of its author.")


def why_canceled(reason: str | None) -> str:
    return CANCELED.get(reason or "", "It no longer matters for this pull request.")
