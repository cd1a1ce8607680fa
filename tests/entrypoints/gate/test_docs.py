"""The example of docs/verifiers.md works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from centralbot.domain.config import RepoConfig
from centralbot.ports.verifier import Attempt, ProofRefused
from tests.builders import AUTHOR, T0, a_challenge

DOC = Path(__file__).parents[3] / "docs" / "verifiers.md"


def the_example() -> Any:
    """The class in the page's first Python block."""
    block = re.search(r"```python\n(.*?)```", DOC.read_text("utf-8"), re.S)
    assert block is not None
    names: dict[str, Any] = {}
    exec(compile(block[1], str(DOC), "exec"), names)
    return names["Color"]()


async def test_the_example_of_a_proof_is_one() -> None:
    """It asks, takes the right answer and refuses a wrong one."""
    color = the_example()
    attempt = Attempt(challenge=a_challenge(), user=AUTHOR, config=RepoConfig(), now=T0)
    (field,) = color.step(attempt).fields
    assert await color.check(attempt, {field.name: " Blue "}) == {"answered": "blue"}
    with pytest.raises(ProofRefused, match="try again"):
        await color.check(attempt, {field.name: "green"})
