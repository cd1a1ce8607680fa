"""A maintainer's own word, given on the pages or on the command line: nothing to look for, only to explain."""

from __future__ import annotations

from centralbot.domain.rules.rule import Detail, Exemption, Words


def _trace(_: Detail, by: str) -> str:
    return f"let in by {by}"


MAINTAINER = Exemption(
    code="MAINTAINER",
    words=Words(
        comment="was let in by a maintainer",
        trace=_trace,
        owner="A maintainer let the author in",
        author="A maintainer let its author in by hand.",
    ),
)
