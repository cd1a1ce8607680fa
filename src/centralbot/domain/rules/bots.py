"""A bot as author, where the repository exempts bots."""

from __future__ import annotations

from centralbot.domain.events import Actor, UserType
from centralbot.domain.facts import Fact
from centralbot.domain.rules.rule import Detail, Rule, Words, always
from centralbot.domain.rules.subject import Subject


def is_bot(author: Actor, author_type: UserType | None) -> bool | None:
    """A bot by GitHub's own word, or by the suffix that GitHub reserves for App accounts. None: its type is unknown."""
    if author.login.endswith("[bot]"):
        return True
    return None if author_type is None else author_type is UserType.BOT


def _applies(subject: Subject) -> bool | None:
    return subject.config.exempt_bots and is_bot(subject.author, subject.facts.author_type)


def _unmet(detail: Detail) -> str:
    return "a bot, and bots are not exempt here" if detail.get("bot") else "not a bot"


BOT = Rule(
    code="BOT_AUTHOR",
    needs=frozenset({Fact.AUTHOR_TYPE}),
    applies=_applies,
    words=Words(
        comment="is a bot, and bots are exempt here",
        trace=always("the author is a bot"),
        owner="The author is a bot, and bots are exempt",
        author="It was opened by a bot, and bots are exempt here.",
    ),
    unmet=_unmet,
)
