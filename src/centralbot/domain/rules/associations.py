"""An author whose association with the repository is one of those that it exempts."""

from __future__ import annotations

from collections.abc import Mapping

from centralbot.domain.facts import Fact
from centralbot.domain.rules.rule import Detail, Rule, Words
from centralbot.domain.rules.subject import Subject

AUTHORS: Mapping[str, str] = {
    "FIRST_TIME_CONTRIBUTOR": "a first-time contributor",
    "FIRST_TIMER": "somebody new to GitHub",
    "CONTRIBUTOR": "an earlier contributor",
    "COLLABORATOR": "a collaborator",
    "MEMBER": "a member of the organization",
    "OWNER": "the owner",
    "NONE": "somebody new to the repository",
}
"""How people say who an author is, by association."""


def _applies(subject: Subject) -> bool | None:
    exempt, association = subject.config.exempt_associations, subject.facts.author_association
    if not exempt:
        return False
    return None if association is None else association in exempt


def _trace(detail: Detail, _: str) -> str:
    return f"the author is {AUTHORS.get(str(detail.get('association')), 'one of those who are exempt here')}"


def _unmet(detail: Detail) -> str | None:
    return "and such authors are not exempt" if detail.get("association") else None


ASSOCIATION = Rule(
    code="EXEMPT_ASSOCIATION",
    needs=frozenset({Fact.AUTHOR_ASSOCIATION}),
    applies=_applies,
    words=Words(
        comment="belongs to this repository",
        trace=_trace,
        owner="The author belongs to this repository",
        author="Its author belongs to this repository.",
    ),
    unmet=_unmet,
)
