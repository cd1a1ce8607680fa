"""The example of docs/rules.md works as it stands there, and the page lists every rule."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from centralbot.domain import rules
from centralbot.domain.facts import Fact, Facts
from centralbot.domain.rules import EXEMPTIONS, RULES, Rule, Subject, evaluate
from tests.builders import T0, a_challenge, a_config

DOC = Path(__file__).parents[2] / "docs" / "rules.md"


def the_example() -> Rule:
    """The rule in the page's Python block."""
    block = re.search(r"```python\n(.*?)```", DOC.read_text("utf-8"), re.S)
    assert block is not None
    names: dict[str, Any] = {}
    exec(compile(block[1], str(DOC), "exec"), names)
    found = names["APPROVED"]
    assert isinstance(found, Rule)
    return found


@pytest.mark.parametrize(
    ("approved_by", "exempt", "missing"),
    [(None, False, {Fact.APPROVED_BY}), ((), False, set()), (("mona",), True, set())],
)
def test_the_example_of_a_rule_is_one(approved_by: tuple[str, ...] | None, exempt: bool, missing: set[Fact]) -> None:
    """Registered, it exempts, does not, and asks."""
    rule, facts = the_example(), Facts(approved_by=approved_by)
    subject = Subject.of_challenge(a_challenge(), config=a_config(), whitelisted=False, now=T0, facts=facts)
    assert rule.code in rules.exemptions((*RULES, rule))
    verdict = evaluate((rule,), subject)
    assert (verdict.exempt is rule, set(verdict.missing)) == (exempt, missing)


def test_the_page_lists_every_rule_with_what_it_needs() -> None:
    """In their order."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|.*\| (.*?) ?\|$", DOC.read_text("utf-8"), re.M)
    expected = [
        (code, ", ".join(f"`{fact}`" for fact in sorted(it.needs)) if isinstance(it, Rule) else "")
        for code, it in EXEMPTIONS.items()
    ]
    assert rows == expected
