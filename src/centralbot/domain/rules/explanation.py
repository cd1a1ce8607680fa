"""Why nobody was exempt: what the audit keeps of a verdict, and what it tells of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from centralbot.domain.rules.evaluation import Verdict
from centralbot.domain.rules.rule import Detail, Rule, Veto


def recorded(verdict: Verdict) -> dict[str, str]:
    """The vetoes of a verdict, as an audit row's detail keeps them."""
    if not (verdict.vetoes or verdict.doubts):
        return {}
    vetoes = {"vetoes": verdict.vetoes, "doubts": verdict.doubts}
    return {name: ", ".join(veto.code for veto in some) for name, some in vetoes.items() if some}


def unmet(rules: Iterable[Rule | Veto], detail: Detail) -> Iterator[str]:
    """Clauses that say why no rule exempted, as far as that is worth telling; a veto's in place of what it turned off.

    Nothing is said of a rule whose veto was in doubt.
    """
    asked = tuple(rules)
    struck, doubted = (str(detail.get(name) or "").split(", ") for name in ("vetoes", "doubts"))
    vetoed: set[str] = set()
    for veto in asked:
        if isinstance(veto, Veto) and veto.code in (*struck, *doubted):
            vetoed |= veto.over
    for rule in asked:
        if isinstance(rule, Rule) and rule.code not in vetoed and (clause := rule.unmet(detail)):
            yield clause
    for veto in asked:
        if isinstance(veto, Veto) and veto.code in struck:
            yield veto.told(detail)
