"""A pull request that bears the repository's exempting label."""

from __future__ import annotations

from centralbot.domain.config import RepoConfig
from centralbot.domain.facts import Fact
from centralbot.domain.rules.rule import Detail, Rule, Words, unsaid
from centralbot.domain.rules.subject import Subject


def is_exempt_label(label: str | None, config: RepoConfig) -> bool:
    """Whether this is the label that exempts; in any case, as GitHub compares labels."""
    return bool(config.exempt_label) and label is not None and label.casefold() == config.exempt_label.casefold()


def _applies(subject: Subject) -> bool | None:
    if not subject.config.exempt_label:
        return False
    known = subject.facts.labels
    if any(is_exempt_label(label, subject.config) for label in (subject.label, *(known or ()))):
        return True
    return None if known is None else False


def _trace(detail: Detail, by: str) -> str:
    return f"labeled by {by}" if detail.get("action") == "labeled" else "it has the exempting label"


LABELED = Rule(
    code="EXEMPT_LABEL",
    needs=frozenset({Fact.LABELS}),
    applies=_applies,
    words=Words(
        comment="was let in by a maintainer, who labeled this pull request",
        trace=_trace,
        owner="The pull request has the exempting label",
        author="A maintainer put a label on it that exempts its author.",
    ),
    unmet=unsaid,
)
