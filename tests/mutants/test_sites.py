"""The mutants of a small module, all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants import exclusions, sites
from tests.mutants.__main__ import sample

STATES = """
class Status(StrEnum):
    OPEN = "OPEN"
    SHUT = "SHUT"
    GONE = "GONE"

class Event(StrEnum):
    SHUT = "shut"
    DROP = "drop"

S, E = Status, Event
"""


def found(tmp_path: Path, source: str) -> list[str]:
    """What is planted in ``source``, told by kind."""
    (tmp_path / "door.py").write_text(STATES + source)
    return [f"{one.kind}: {one.original} -> {one.mutated}" for one in sites.find(tmp_path)]


def test_a_cell_leads_to_each_other_state_or_is_gone(tmp_path: Path) -> None:
    """States and events are known by the table's own annotation."""
    table = "TRANSITIONS: Table[Status, Event] = {S.OPEN: {E.SHUT: S.SHUT}, S.SHUT: {}}"
    assert found(tmp_path, table) == [
        "cell: S.OPEN E.SHUT: S.SHUT -> S.GONE",
        "cell: S.OPEN E.SHUT: S.SHUT -> S.OPEN",
        "cell: S.OPEN E.SHUT: S.SHUT -> (gone)",
    ]


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("SETTLED = frozenset({S.SHUT, S.GONE})", ["entry: S.SHUT -> (gone)", "entry: S.GONE -> (gone)"]),
        ("SAID = {'shut': S.SHUT}", ["entry: 'shut': S.SHUT -> S.GONE", "entry: 'shut': S.SHUT -> (gone)"]),
        ("WORDS = {S.SHUT: 'it is shut'}", []),
        ("LIMIT_S = 2 * 60", ["time: 2 * 60 -> ((2 * 60) * 10)", "time: 2 * 60 -> ((2 * 60) // 10)"]),
        ("KEPT = timedelta(1)", [
            "time: timedelta(1) -> (timedelta(1) * 10)", "time: timedelta(1) -> (timedelta(1) / 10)",
        ]),
        ("def f(a):\n    return f'{a + 2}'", []),
        ("def f(a):\n    if a:\n        return", ["guard: a -> True", "guard: a -> False"]),
        ("def f(a):\n    return a in (1, 2)", [
            "guard: a in (1, 2) -> True", "guard: a in (1, 2) -> False", "entry: 1 -> (gone)", "entry: 2 -> (gone)",
        ]),
        ("def f(a, b):\n    return a or b", ["guard: a or b -> (b)", "guard: a or b -> (a)"]),
        ("def f(a, b):\n    return a and b < 0", ["guard: a and b < 0 -> (b < 0)", "guard: a and b < 0 -> (a)"]),
        ("def f(a):\n    while a and (b or c): pass", [
            "guard: a and (b or c) -> True", "guard: a and (b or c) -> False", "guard: a and (b or c) -> ((b or c))",
            "guard: a and (b or c) -> (a)", "guard: b or c -> (c)", "guard: b or c -> (b)",
        ]),
        ("def f(a):\n    return [1 for b in a if b]", ["guard: b -> True", "guard: b -> False"]),
        ("def f():\n    g(on=True)", ["flag: True -> False"]),
        ("def f(a, b):\n    return max(a, b)", ["time: max(a, b) -> a", "time: max(a, b) -> b"]),
        ("def f(now):\n    return now + timedelta(3)", [
            "time: now + timedelta(3) -> (now)", "time: now + timedelta(3) -> (timedelta(3))",
            "time: timedelta(3) -> (timedelta(3) * 10)", "time: timedelta(3) -> (timedelta(3) / 10)",
        ]),
    ],
)  # fmt: skip
def test_what_is_planted(tmp_path: Path, source: str, mutants: list[str]) -> None:
    """Whatever decides, and no words."""
    assert found(tmp_path, source) == mutants


def test_a_state_or_event_that_a_decision_names_is_another_one(tmp_path: Path) -> None:
    """Beside the table; a state that is compared with is the guard's affair."""
    source = "T: Table[Status, Event] = {}\ndef f(s):\n    return step(s, E.SHUT) if s is S.OPEN else S.GONE"
    assert found(tmp_path, source) == [
        "guard: s is S.OPEN -> True", "guard: s is S.OPEN -> False", "step: E.SHUT -> E.DROP", "step: S.GONE -> S.OPEN",
    ]  # fmt: skip


def test_the_whole_mutated_source_is_kept(tmp_path: Path) -> None:
    """Letters of more than one byte before it do not move the change."""
    (tmp_path / "door.py").write_text("def f(a):\n    b = 'öäü'; return b if a else 1\n")
    assert [one.source for one in sites.find(tmp_path)] == [
        "def f(a):\n    b = 'öäü'; return b if True else 1\n",
        "def f(a):\n    b = 'öäü'; return b if False else 1\n",
    ]


def test_a_sample_is_spread_and_its_seed_says_which(tmp_path: Path) -> None:
    """Ten of a hundred: one in each ten."""
    (tmp_path / "door.py").write_text("def f(a):\n" + "    if a:\n        return\n" * 50)
    everything = sites.find(tmp_path)
    places = [everything.index(one) for one in sample(everything, 10, "a")]
    assert [place // 10 for place in places] == list(range(10))
    assert sample(everything, 10, "a") == sample(everything, 10, "a") != sample(everything, 10, "b")
    assert sample(everything, 1000, "a") == everything


def test_an_exclusion_of_what_is_no_longer_there_is_an_error(tmp_path: Path) -> None:
    """It is about one change in one function, and goes when that goes."""
    (tmp_path / "door.py").write_text("def f(a):\n    if a:\n        return\n")
    mutants = sites.find(tmp_path)
    one = exclusions.Equivalent("door f", "a", "True", "why")
    assert [left.mutated for left in exclusions.in_scope(mutants, [one])] == ["False"]
    with pytest.raises(LookupError, match="no longer there"):
        exclusions.in_scope([], [one])
