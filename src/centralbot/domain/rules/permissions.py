"""An author with enough permission in the repository; private members have it too, whom no association shows."""

from __future__ import annotations

from centralbot.domain.facts import Fact, Permission
from centralbot.domain.rules.rule import Rule, Words, always, unsaid
from centralbot.domain.rules.subject import Subject


def _applies(subject: Subject) -> bool | None:
    has = subject.facts.author_permission
    return None if has is None else has.is_at_least(Permission(subject.config.exempt_permission.value))


PERMISSION = Rule(
    code="EXEMPT_PERMISSION",
    needs=frozenset({Fact.AUTHOR_PERMISSION}),
    applies=_applies,
    words=Words(
        comment="has sufficient permission in this repository",
        trace=always("the author has sufficient permission in the repository"),
        owner="The author has sufficient permission in this repository",
        author="Its author has sufficient permission in this repository.",
    ),
    unmet=unsaid,
)
