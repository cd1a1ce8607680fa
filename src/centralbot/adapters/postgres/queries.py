"""Named SQL: every query is described where it stands, in ``sql/<topic>.sql``, and loaded by name.

A query begins with a line ``-- name: its_name``; the comment below says what it is for. SQL compares no status on its
own: ``{{status.active}}`` and the like are filled in from the domain's tables, so that a rule that changes there
changes every statement. ``{{columns.…}}`` are the columns that :mod:`.codec` reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files

from centralbot.domain import challenge, installation
from centralbot.domain.actions import ActionType
from centralbot.domain.challenge import Challenge, ChallengeEvent, ChallengeStatus
from centralbot.domain.gating import CLOSING
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.machine import sources

_NAME = re.compile(r"^-- name: (\w+)$", re.M)
_WORD = re.compile(r"\{\{([\w.]+)\}\}")

_ENVELOPE = (
    "action_id", "seq", "action_type", "installation_id", "repo_id", "pr_number", "challenge_id", "supersede_key",
    "run_at", "attempts", "worker_id", "claim_token", "last_outcome", "last_token", "last_worker_id", "failure_code",
    "failure_message", "cancel_reason",
)  # fmt: skip
_SETTLED = (
    "id", "action_type", "installation_id", "repo_id", "pr_number", "challenge_id", "settled", "settled_at", "attempts",
    "worker_id", "claim_token", "outcome", "failure_code", "failure_message",
)  # fmt: skip
_INSTALLATION = (
    "installation_id", "status", "changed_at", "account_login", "account_type", "account_id", "repository_selection",
)  # fmt: skip


def literals(words: Iterable[str]) -> str:
    """Words of the domain as a list of SQL literals."""
    return ", ".join(f"'{word}'" for word in map(str, words))


def _columns(alias: str, names: Iterable[str], prefix: str) -> str:
    return ", ".join(f"{alias}.{name} as {prefix}{name}" for name in names)


def _sources(event: ChallengeEvent) -> tuple[ChallengeStatus, ...]:
    return sources(challenge.TRANSITIONS, event)


WORDS: Mapping[str, str] = {
    "status.active": literals(sorted(challenge.ACTIVE)),
    "status.due": literals(_sources(ChallengeEvent.TIME_OUT)),
    "status.cancelable": literals(_sources(ChallengeEvent.CANCEL)),
    "type.close": literals([ActionType.CLOSE_PR_WITH_COMMENT]),
    "type.notice": literals([ActionType.UPSERT_PR_COMMENT]),
    "word.closing": literals(sorted(CLOSING)),
    "status.handing_out": literals(
        status for status in InstallationStatus if installation.hands_out(status, None, now=installation.UNSAID)
    ),
    "columns.challenge": _columns("c", (field.name for field in fields(Challenge)), ""),
    "columns.envelope": _columns("q", _ENVELOPE, "q_"),
    "columns.payload": (
        "a.repo_full_name as a_repo_full_name, a.created_at as a_created_at, a.payload::text as a_payload, "
        "a.comment_id as a_comment_id"
    ),
    "columns.settled": _columns("a", _SETTLED, "a_"),
    "columns.installation": _columns("i", _INSTALLATION, ""),
    "columns.repository": (
        "r.installation_id as r_installation_id, r.repo_id, r.full_name, r.active, r.changed_at as r_changed_at, "
        "r.active_since"
    ),
}


@cache
def _all() -> Mapping[str, str]:
    """Every query by its name, compiled."""
    found: dict[str, str] = {}
    for file in sorted(files(__package__).joinpath("sql").iterdir(), key=lambda one: one.name):
        if not file.name.endswith(".sql"):
            continue
        text = file.read_text("utf-8")
        names = list(_NAME.finditer(text))
        if not names:  # one query alone, named as its file
            found[file.name.removesuffix(".sql")] = text
        ends = [*(name.start() for name in names[1:]), len(text)]
        for here, end in zip(names, ends, strict=False):
            if here[1] in found:
                raise ValueError(f"two queries are named {here[1]}")
            found[here[1]] = text[here.end() : end]
    return {name: _compiled(text) for name, text in found.items()}


def _compiled(text: str) -> str:
    """Without the comment at the top, with the domain's words in it."""
    lines = text.strip().splitlines()
    while lines and lines[0].startswith("--"):
        lines.pop(0)
    return _WORD.sub(lambda word: WORDS[word[1]], "\n".join(lines).strip())


@cache
def sql(name: str) -> bytes:
    """The text of the query ``name``."""
    return _all()[name].encode()


def part(name: str) -> str:
    """A part of a writing statement (``sql/write.sql``)."""
    return _all()[name]
