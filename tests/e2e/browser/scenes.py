"""The pages in each of their states: how a person comes upon it, and what it says to them.

Tests look at every scene, and ``pictures`` photographs them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Page

from tests.e2e.browser.stage import Stage

OWN = "*"
"""The heading of a page whose heading is the name of what it is about."""
Arrive = Callable[[Stage], Awaitable[Page]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """``heading`` is the page's first; each text of ``says`` is seen somewhere on it."""

    name: str
    heading: str
    says: tuple[str, ...]
    arrive: Arrive


def scene(name: str, heading: str, *says: str) -> Callable[[Arrive], Scene]:
    """Make a scene of the function that arrives at it."""
    return lambda arrive: Scene(name=name, heading=heading, says=says, arrive=arrive)
