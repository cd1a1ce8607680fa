"""Who is exempt and what is left alone: one rule a file, registered here in the contract's order (section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping

from centralbot.domain.rules.associations import ASSOCIATION
from centralbot.domain.rules.bots import BOT, is_bot
from centralbot.domain.rules.drafts import DRAFT
from centralbot.domain.rules.evaluation import Verdict, evaluate
from centralbot.domain.rules.explanation import recorded, unmet
from centralbot.domain.rules.ghosts import GHOST
from centralbot.domain.rules.labels import LABELED, is_exempt_label
from centralbot.domain.rules.maintainers import MAINTAINER
from centralbot.domain.rules.permissions import PERMISSION
from centralbot.domain.rules.reopens import MAINTAINER_REOPENED
from centralbot.domain.rules.rule import Exemption, Rule, Veto
from centralbot.domain.rules.subject import Subject
from centralbot.domain.rules.whitelist import WHITELISTED

RULES: tuple[Rule | Veto, ...] = (
    GHOST,
    BOT,
    WHITELISTED,
    ASSOCIATION,
    PERMISSION,
    LABELED,
    MAINTAINER_REOPENED,
)
"""In the order in which they are asked; the first that applies is the reason. A veto's place does not matter."""


def exemptions(rules: tuple[Exemption | Veto, ...]) -> Mapping[str, Exemption]:
    """By code. Raises ValueError for a code that comes twice, and for a veto over something that is no exemption."""
    seen: set[str] = set()
    for rule in rules:
        if rule.code in seen:
            raise ValueError(f"{rule.code}: two rules have this code")
        seen.add(rule.code)
    found = {rule.code: rule for rule in rules if isinstance(rule, Exemption)}
    for rule in rules:
        if isinstance(rule, Veto) and (unknown := rule.over - found.keys()):
            raise ValueError(f"{rule.code}: a veto over {', '.join(sorted(unknown))}, which no rule is")
    return found


EXEMPTIONS: Mapping[str, Exemption] = exemptions((*RULES, MAINTAINER))
"""Everything that can exempt, by the code that is stored with a challenge."""

__all__ = [
    "ASSOCIATION",
    "BOT",
    "DRAFT",
    "EXEMPTIONS",
    "GHOST",
    "LABELED",
    "MAINTAINER",
    "MAINTAINER_REOPENED",
    "PERMISSION",
    "RULES",
    "WHITELISTED",
    "Exemption",
    "Rule",
    "Subject",
    "Verdict",
    "Veto",
    "evaluate",
    "exemptions",
    "is_bot",
    "is_exempt_label",
    "recorded",
    "unmet",
]
