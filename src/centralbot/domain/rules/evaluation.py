"""Who is exempt, and which facts could still say so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from centralbot.domain.facts import Fact
from centralbot.domain.rules.rule import Rule, Veto
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
    asked = tuple(rules)
    answers = [(veto, veto.applies(subject)) for veto in asked if isinstance(veto, Veto)]
    vetoes: list[Veto] = []
    doubts: list[Veto] = []
    undecided: list[Rule | Veto] = []
    for rule in asked:
        if isinstance(rule, Veto) or (applies := rule.applies(subject)) is False:
            continue
        against = [veto for veto, answer in answers if answer is True and rule.code in veto.over]
        unsure = [veto for veto, answer in answers if answer is None and rule.code in veto.over]
        if applies and not against and not unsure:
            return Verdict(exempt=rule, missing=frozenset(), vetoes=(), doubts=())
        vetoes += against
        doubts += unsure
        if not against:
            undecided += unsure if applies else (*unsure, rule)
    missing = subject.facts.unknown(fact for rule in undecided for fact in rule.needs)
    return Verdict(exempt=None, missing=missing, vetoes=_once(vetoes), doubts=_once(doubts))


def _once(vetoes: Iterable[Veto]) -> tuple[Veto, ...]:
    return tuple(dict.fromkeys(vetoes))
