"""Transition tables: one lookup per step, a miss is a named error and nothing has changed.

The diagrams in the docs are drawn from the tables by ``centralbot docs diagrams``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from centralbot.domain.errors import IllegalTransition

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)
Table = Mapping[S, Mapping[E, S]]


def step(machine: str, table: Table[S, E], state: S, event: E) -> S:
    """The state after ``event``. Raises IllegalTransition where the table has no such step."""
    try:
        return table[state][event]
    except KeyError:
        raise IllegalTransition(machine=machine, state=state, event=event) from None


def sources(table: Table[S, E], event: E) -> tuple[S, ...]:
    """The states in which ``event`` is legal: what a guarded UPDATE expects."""
    return tuple(state for state, row in table.items() if event in row)


def terminal(table: Table[S, E]) -> frozenset[S]:
    """The states that nothing leaves: empty rows."""
    return frozenset(state for state, row in table.items() if not row)


def mermaid(table: Table[S, E], *, start: S) -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {start}"]
    lines += [f"    {state} --> {to}: {event}" for state, row in table.items() for event, to in row.items()]
    lines += [f"    {state} --> [*]" for state, row in table.items() if not row]
    return "\n".join(lines) + "\n"
