"""A pull request that somebody other than its author reopens: a maintainer has decided."""

from __future__ import annotations

from centralbot.domain.rules.rule import NO_FACTS, Detail, Rule, Words, unsaid
from centralbot.domain.rules.subject import Subject


def _applies(subject: Subject) -> bool | None:
    if subject.action != "reopened":
        return False
    return None if subject.sender is None else subject.sender.id != subject.author.id


def _trace(_: Detail, by: str) -> str:
    return f"reopened by {by}, who is not the author"


MAINTAINER_REOPENED = Rule(
    code="MAINTAINER_REOPENED",
    needs=NO_FACTS,
    applies=_applies,
    words=Words(
        comment="was let in by a maintainer, who reopened this pull request",
        trace=_trace,
        owner="A maintainer reopened the pull request",
        author="A maintainer reopened it, which exempts its author.",
    ),
    unmet=unsaid,
)
