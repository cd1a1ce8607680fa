"""An author on the repository's whitelist."""

from __future__ import annotations

from centralbot.domain.rules.rule import NO_FACTS, Detail, Rule, Words
from centralbot.domain.rules.subject import Subject


def _applies(subject: Subject) -> bool:
    return subject.whitelisted


def _trace(detail: Detail, _: str) -> str:
    return "the author is whitelisted" + ("" if detail.get("action") else " by now, at the deadline")


def _unmet(_: Detail) -> str:
    return "not on the whitelist"


WHITELISTED = Rule(
    code="WHITELISTED",
    needs=NO_FACTS,
    applies=_applies,
    words=Words(
        comment="is on this repository's whitelist",
        trace=_trace,
        owner="The author is on the whitelist",
        author="Its author is on this repository's whitelist.",
    ),
    unmet=_unmet,
    is_announced=True,  # so that people see that the list worked; bots and members pass without noise
)
