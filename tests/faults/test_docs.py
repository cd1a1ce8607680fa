"""docs/faults.md names tests that exist, and leaves no row out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "faults.md").read_text()


def names_in(path: Path) -> set[str]:
    """The names of a module's tests, those in classes included."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_named_test_exists() -> None:
    """By path and name."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
    missing = [(path, name) for path, name in named if name not in names_in(ROOT / path)]
    assert (len(named) > 60, missing) == (True, [])


def test_every_row_is_there_once() -> None:
    """1 to 50."""
    rows = [int(number) for number in re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)]
    assert sorted(rows) == list(range(1, 51))
