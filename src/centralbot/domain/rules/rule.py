"""What a rule is: a predicate over a :class:`Subject`, the facts that it needs, and the words that explain it.

The shape is that of policy-bot's predicates (https://github.com/palantir/policy-bot/tree/develop/policy/predicate).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from centralbot.domain.facts import Fact
from centralbot.domain.rules.subject import Subject

Detail = Mapping[str, str | int | bool | None]
"""What an audit row recorded of a decision."""

Predicate = Callable[[Subject], bool | None]
"""None is unknown: the answer depends on something that the subject does not tell."""

NO_FACTS: frozenset[Fact] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What explains a rule, one text for each surface; none has a default and none may be empty.

    ``comment`` stands on the pull request: for an exemption it follows the author's login, without a full stop.
    ``trace`` tells a row of the audit, given its detail and its actor's name: a clause, without a full stop.
    ``owner`` is a line on the owner's page, without a full stop. ``author`` is a sentence on the author's page.
    """

    comment: str
    trace: Callable[[Detail, str], str]
    owner: str
    author: str

    def __post_init__(self) -> None:
        """Raises ValueError for a surface without words, so that a process with such a rule does not start."""
        for field in fields(self):
            words = getattr(self, field.name)
            if not (callable(words) or words.strip()):
                raise ValueError(f"{field.name}: a rule needs words on every surface")


def always(words: str) -> Callable[[Detail, str], str]:
    """The same words, whatever was recorded."""
    return lambda _detail, _by: words


def unsaid(_detail: Detail) -> None:
    """For a rule of which nothing is told where it does not apply."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exemption:
    """A reason why an author is exempt; as such, one that people give. ``code`` is what is stored.

    ``is_announced``: said in a comment (where the repository wants that) also if the author was never asked to pass.
    """

    code: str
    words: Words
    is_announced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule(Exemption):
    """An exemption that is found by looking.

    ``needs`` are the facts without which ``applies`` may be unknown. ``unmet`` tells, as a clause of the trace's
    sentence on a new challenge, why it did not apply; None for nothing to be told.
    """

    needs: frozenset[Fact]
    applies: Predicate
    unmet: Callable[[Detail], str | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Veto:
    """Turns off the exemptions whose codes are in ``over`` where it applies; while that is unknown, so are they.

    ``told`` is the clause in the trace's sentence on a new challenge that it led to.
    """

    code: str
    over: frozenset[str]
    needs: frozenset[Fact]
    applies: Predicate
    told: Callable[[Detail], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Leaves a pull request alone where it applies: nothing is asked, nothing decided. ``words`` tell of a check that
    ended for it; ``comment`` is a whole sentence there.
    """

    code: str
    needs: frozenset[Fact]
    applies: Predicate
    words: Words
