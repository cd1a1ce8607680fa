"""The domain as a library: what it exports is documented, and nothing that a decision rests on can be forgotten."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from centralbot import domain

PAGE = (Path(__file__).parents[2] / "docs" / "domain.md").read_text("utf-8")
FACTS_AND_STATE = [
    domain.GateFacts,
    domain.ChallengeFacts,
    domain.InstallationFacts,
    domain.Subject,
    domain.PullRequestEvent,
    domain.Challenge,
    domain.Envelope,
    domain.Action,
]


def test_the_page_tells_of_every_name_in_its_order() -> None:
    """And of no other."""
    assert re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE) == domain.__all__


def test_every_name_says_what_it_is() -> None:
    """In a docstring of its own, not in the one that a dataclass makes up."""
    named = {name: getattr(domain, name) for name in domain.__all__}
    spoken = {name: it for name, it in named.items() if inspect.isclass(it) or inspect.isfunction(it)}
    assert len(spoken) > 70
    assert [name for name, it in spoken.items() if not it.__doc__ or it.__doc__.startswith(f"{name}(")] == []


@pytest.mark.parametrize("kind", FACTS_AND_STATE, ids=lambda kind: kind.__name__)
def test_facts_and_state_have_no_defaults(kind: type) -> None:
    """A fact or a past that is forgotten would close somebody, or leave a late pass without its reopen."""
    given = fields(kind)
    assert [it.name for it in given if (it.default, it.default_factory) != (MISSING, MISSING) and it.init] == []


def test_a_result_names_its_claim() -> None:
    """None is a choice (the worker's id alone has to match then), not something to forget."""
    assert inspect.signature(domain.Settlement).parameters["claim_token"].default is inspect.Parameter.empty
