"""A deleted account, or a mannequin: nobody is there who could pass, so closing would be final."""

from __future__ import annotations

from centralbot.domain.events import GHOST_USER_ID, AuthorAssociation
from centralbot.domain.facts import Fact
from centralbot.domain.rules.rule import Rule, Words, always, unsaid
from centralbot.domain.rules.subject import Subject


def _applies(subject: Subject) -> bool | None:
    if subject.author.id == GHOST_USER_ID:
        return True
    association = subject.facts.author_association
    return None if association is None else association is AuthorAssociation.MANNEQUIN


GHOST = Rule(
    code="GHOST_AUTHOR",
    needs=frozenset({Fact.AUTHOR_ASSOCIATION}),
    applies=_applies,
    words=Words(
        comment="is a deleted account",
        trace=always("the author's account is deleted"),
        owner="The author's account is deleted",
        author="Its author's account no longer exists.",
    ),
    unmet=unsaid,
)
