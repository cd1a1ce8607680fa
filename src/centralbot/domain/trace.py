"""The decision's trace: what an audit row says, in one sentence that a maintainer understands.

Pure, and total: rows that an older version wrote lack facts, and an unknown event is told by its name. The sentences
are plain text; names in them come from outside, so whoever shows them escapes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from centralbot.domain.challenge import CancelReason
from centralbot.domain.config import BY_NAME, Mode, changes
from centralbot.domain.effects import AuditEvent
from centralbot.domain.handlers import HANDLERS, Tell
from centralbot.domain.rules import DRAFT, EXEMPTIONS, RULES, unmet
from centralbot.domain.rules.associations import AUTHORS
from centralbot.domain.words import duration

Logins = Mapping[int, str]

_STARTS = {
    "opened": "Opened by {author}",
    "reopened": "Reopened; written by {author}",
    "synchronize": "New commits by {author}",
    "ready_for_review": "Ready for review; written by {author}",
    "converted_to_draft": "A draft now; written by {author}",
}
_CANCELED = {
    CancelReason.PR_CLOSED: "the pull request was closed.",
    CancelReason.PR_MERGED: "the pull request was merged.",
    CancelReason.UNINSTALLED: "the App was uninstalled.",
    CancelReason.REPOSITORY_REMOVED: "the repository was taken out of the App's installation.",
    CancelReason.SWITCHED_OFF: "the repository was switched off by the deadline.",
    CancelReason.NOTICE_FAILED: "the comment could not be posted, so nobody is closed for not having read it.",
}


def sentence(event: AuditEvent, logins: Logins | None = None) -> str:
    """One plain sentence. ``logins`` names GitHub users by id, as far as they are known."""
    tell = SENTENCES.get(event.event)
    return event.event if tell is None else tell(event, who(event.actor, logins or {}))


def who(actor: str, logins: Logins) -> str:
    """An actor as people call them: ``github:3003`` is a login where that is known."""
    kind, _, name = actor.partition(":")
    if kind == "github" and name.isascii() and name.isdigit():
        return logins.get(int(name), f"GitHub user {name}")
    return f"operator {name}" if kind == "operator" and name else actor


def _created(event: AuditEvent, by: str) -> str:
    detail = event.detail
    if detail.get("renews"):
        return f"{by} had the failed comment tried again, so the check starts anew."
    association = detail.get("association")
    author = AUTHORS.get(str(association), "an author of whom GitHub does not say more")
    start = _STARTS.get(str(detail.get("action")), "Seen; written by {author}").format(author=author)
    if reasons := ", ".join(unmet(RULES, detail)):
        start += f": {reasons}"
    window_s = detail.get("window_s")
    time = duration(window_s) if isinstance(window_s, int) else "the usual time"
    if detail.get("mode") == Mode.SHADOW:
        return f"{start}, so there would be {time} to pass (shadow mode: nobody is told)."
    return f"{start}, so {time} to pass."


def _exempted(event: AuditEvent, by: str) -> str:
    why = EXEMPTIONS.get(str(event.detail.get("why")))
    return f"Exempt: {why.words.trace(event.detail, by)}." if why else f"Exempt, as {by} decided."


def _verified(event: AuditEvent, by: str) -> str:
    left_s = event.detail.get("left_s")
    if event.detail.get("why") == "LATE":
        late = f" {duration(-left_s)}" if isinstance(left_s, int) and left_s < 0 else ""
        return f"Verified by {by}{late} after the deadline."
    if not isinstance(left_s, int):
        return f"Verified by {by} in time."
    if left_s <= 0:
        return f"Verified by {by} at the deadline, just before it was closed."
    return f"Verified by {by}, {duration(left_s)} before the deadline."


def _timed_out(event: AuditEvent, _: str) -> str:
    if event.detail.get("mode") == Mode.SHADOW:
        return "Time ran out; the pull request would have been closed (shadow mode: nothing is done)."
    return "Time ran out; the pull request was closed."


def _canceled(event: AuditEvent, by: str) -> str:
    why = event.detail.get("why")
    if why == CancelReason.MAINTAINER:
        return f"Canceled by {by}."
    if why == DRAFT.code:
        return f"Canceled: {DRAFT.words.trace(event.detail, by)}."
    reason = next((text for known, text in _CANCELED.items() if known == why), "it no longer applies.")
    return f"Canceled: {reason}"


def _extended(event: AuditEvent, by: str) -> str:
    by_s = event.detail.get("by_s")
    return f"{by} gave {duration(by_s) + ' more' if isinstance(by_s, int) else 'more time'}."


def _refused(event: AuditEvent, by: str) -> str:
    if event.detail.get("why") == "NOT_THE_AUTHOR":
        return f"{by} tried to verify, but is not the author."
    return f"{by} tried to verify and was refused."


def _configured(event: AuditEvent, by: str) -> str:
    detail = event.detail
    if "was_mode" in detail and detail["was_mode"] is None:
        time = BY_NAME["window_s"].kind.say(detail.get("window_s"))
        return f"{by} set the repository up: mode {detail.get('mode')}, {time} to pass."
    told = changes(detail)
    return f"{by} changed the configuration: {'; '.join(told)}." if told else f"{by} saved the configuration."


def _whitelist(done: str) -> Callable[[AuditEvent, str], str]:
    def tell(event: AuditEvent, by: str) -> str:
        name = event.detail.get("login") or f"GitHub user {event.detail.get('user_id')}"
        return f"{by} {done.format(name=name)}."

    return tell


def _action(done: str) -> Callable[[AuditEvent, str], str]:
    return lambda _, by: f"{by} {done}."


SENTENCES: Mapping[str, Tell] = {
    "challenge.created": _created,
    "challenge.exempted": _exempted,
    "challenge.verified": _verified,
    "challenge.timed_out": _timed_out,
    "challenge.canceled": _canceled,
    "challenge.extended": _extended,
    "challenge.refused": _refused,
    "repository.configured": _configured,
    "whitelist.added": _whitelist("put {name} on the whitelist"),
    "whitelist.removed": _whitelist("took {name} off the whitelist"),
    "action.retried": _action("had a comment, close or reopen that had failed tried again"),
    "action.canceled": _action("canceled a comment, close or reopen that was waiting"),
    **{event: tell for handler in HANDLERS.values() for event, tell in handler.sentences.items()},
}
"""Every event that is written to the audit."""
