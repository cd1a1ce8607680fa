"""A draft, where the repository asks nothing of drafts: left alone until it is ready for review."""

from __future__ import annotations

from centralbot.domain.challenge import CancelReason
from centralbot.domain.facts import Fact
from centralbot.domain.rules.rule import Gate, Words, always
from centralbot.domain.rules.subject import Subject


def _applies(subject: Subject) -> bool | None:
    if subject.config.draft_prs_gated:
        return False
    return True if subject.action == "converted_to_draft" else subject.facts.is_draft


DRAFT = Gate(
    code=CancelReason.DRAFTED,
    needs=frozenset({Fact.IS_DRAFT}),
    applies=_applies,
    words=Words(
        comment="This pull request is a draft now. The check starts anew when it is ready for review.",
        trace=always("the pull request became a draft, and drafts are not checked here"),
        owner="The pull request became a draft",
        author="The pull request is a draft now. The check starts anew when it is ready for review.",
    ),
)
