"""Whether the worker can serve, and what cannot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from centralbot.domain.errors import CentralbotError
from centralbot.ports.driven.clock import Clock

Check = Callable[[], Awaitable[str]]
"""Returns a line that says what is there; raises CentralbotError with what is wrong."""

MAX_SKEW_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    ok: bool
    text: str


class Readiness:
    """Runs its checks when asked, each at most every ``for_s`` seconds, so that probes cost the peers little.

    ``clock_skew_s``: seconds that our clock is ahead of GitHub's, None before GitHub's first answer.
    """

    def __init__(
        self,
        *,
        checks: Mapping[str, tuple[float, Check]],
        clock: Clock,
        is_stopping: Callable[[], bool],
        clock_skew_s: Callable[[], float | None],
    ) -> None:
        self._checks = checks
        self._clock = clock
        self._is_stopping = is_stopping
        self._clock_skew_s = clock_skew_s
        self._known: dict[str, tuple[float, Finding]] = {}

    async def report(self) -> tuple[bool, dict[str, str]]:
        """Ready or not, and one line per check."""
        findings = {name: await self._find(name, for_s, check) for name, (for_s, check) in self._checks.items()}
        findings["clock"] = self._clock_finding()
        if self._is_stopping():
            findings["process"] = Finding(ok=False, text="stopping")
        return all(found.ok for found in findings.values()), {name: found.text for name, found in findings.items()}

    async def _find(self, name: str, for_s: float, check: Check) -> Finding:
        known = self._known.get(name)
        now_s = self._clock.monotonic_s()
        if known is not None and now_s - known[0] < (for_s if known[1].ok else min(for_s, 5.0)):
            return known[1]
        try:
            found = Finding(ok=True, text=await check())
        except CentralbotError as exc:
            found = Finding(ok=False, text=exc.message)
        self._known[name] = (now_s, found)
        return found

    def _clock_finding(self) -> Finding:
        skew_s = self._clock_skew_s()
        if skew_s is None:
            return Finding(ok=True, text="not compared yet")
        text = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} GitHub's"
        if abs(skew_s) > MAX_SKEW_S:
            return Finding(ok=False, text=f"{text}: set the clock, signatures and tokens depend on it")
        return Finding(ok=True, text=text)
