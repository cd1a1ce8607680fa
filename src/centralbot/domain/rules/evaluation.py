"""Who is exempt, and which facts could still say so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from centralbot.domain.facts import Fact
from centralbot.domain.rules.rule import NO_FACTS, Rule, Veto
from centralbot.domain.rules.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``exempt`` is the first rule that is known to apply. Where none is, ``missing`` are the facts that may change it.

    A rule can also be unknown for want of what is no fact to be asked for (who reopened it); it adds nothing here.
    ``vetoes`` turned off an exemption, ``doubts`` are vetoes of which it is not known yet whether they do.
    """

    exempt: Rule | None
    missing: frozenset[Fact]
    vetoes: tuple[Veto, ...]
    doubts: tuple[Veto, ...]


def evaluate(rules: Iterable[Rule | Veto], subject: Subject) -> Verdict:
    """Ask the rules in their order. Unknown is neither yes nor no: it exempts nobody, and says what to ask.

    Learning more never takes an exemption back, though it may find an earlier reason for it.
    """
    exempting, vetoing = _parted(tuple(rules))
    answers = [(veto, veto.applies(subject)) for veto in vetoing]
    vetoes: list[Veto] = []
    doubts: list[Veto] = []
    undecided: list[Rule | Veto] = []
    for rule in exempting:
        if (applies := rule.applies(subject)) is False:
            continue
        if not answers:  # nothing stands against any: the usual case, and every event comes by here
            if applies:
                return Verdict(exempt=rule, missing=NO_FACTS, vetoes=(), doubts=())
            undecided.append(rule)
            continue
        against = [veto for veto, answer in answers if answer is True and rule.code in veto.over]
        unsure = [veto for veto, answer in answers if answer is None and rule.code in veto.over]
        if applies and not against and not unsure:
            return Verdict(exempt=rule, missing=NO_FACTS, vetoes=(), doubts=())
        vetoes += against
        doubts += unsure
        if not against:
            undecided += unsure if applies else (*unsure, rule)
    missing = subject.facts.unknown(fact for rule in undecided for fact in rule.needs) if undecided else NO_FACTS
    return Verdict(exempt=None, missing=missing, vetoes=_once(vetoes), doubts=_once(doubts))


@lru_cache(maxsize=16)
def _parted(rules: tuple[Rule | Veto, ...]) -> tuple[tuple[Rule, ...], tuple[Veto, ...]]:
    """What exempts, and what stands against it; rules are the same where they are the same object."""
    return (
        tuple(rule for rule in rules if isinstance(rule, Rule)),
        tuple(rule for rule in rules if isinstance(rule, Veto)),
    )


def _once(vetoes: Iterable[Veto]) -> tuple[Veto, ...]:
    return tuple(dict.fromkeys(vetoes)) if vetoes else ()
