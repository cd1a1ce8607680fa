"""Installation tokens: minted once, shared, renewed before they end, and what to do when one is refused.

Source: https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/
generating-an-installation-access-token-for-a-github-app. A token that was just minted may not have reached all of
GitHub and is refused for a moment (octokit/auth-app.js#65: 401; #589: 403); Octokit waits 1, 2, 3 s, and so do we.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Literal

from centralbot.adapters.github.single_flight import SingleFlight
from centralbot.ports.driven.clock import Clock

RENEW_BEFORE_S: Final = 300.0
FRESH_FOR_S: Final = 5.0
FRESH_WAITS_S: Final = (1.0, 2.0, 3.0)
_SWEEP_ABOVE: Final = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An installation token. Both times are on the monotonic clock, so that a wrong wall clock cannot matter."""

    value: str
    minted_at_s: float
    ends_at_s: float

    def __repr__(self) -> str:
        """Without the value: a token must not reach a log."""
        return f"Token(minted_at_s={self.minted_at_s}, ends_at_s={self.ends_at_s})"

    def usable(self, now_s: float) -> bool:
        """Whether there is enough left: until five minutes before the end."""
        return now_s < self.ends_at_s - min(RENEW_BEFORE_S, (self.ends_at_s - self.minted_at_s) / 2)

    def fresh(self, now_s: float) -> bool:
        """Whether it is so young that a refusal may be a moment's."""
        return now_s - self.minted_at_s < FRESH_FOR_S


Mint = Callable[[int], Coroutine[Any, Any, Token]]


class InstallationTokens:
    """A cache in memory of one token per installation; at most one mint under way for each."""

    def __init__(self, mint: Mint, clock: Clock) -> None:
        self._mint = mint
        self._clock = clock
        self._cached: dict[int, Token] = {}
        self._minting: SingleFlight[int, Token] = SingleFlight()

    async def get(self, installation_id: int) -> Token:
        """A usable token. Raises what minting raises, to everyone who waits for the same mint."""
        token = self._cached.get(installation_id)
        if token is not None and token.usable(self._clock.monotonic_s()):
            return token
        return await self._minting.run(installation_id, lambda: self._renew(installation_id))

    def discard(self, installation_id: int, refused: Token) -> None:
        """Forget ``refused``; a newer one that somebody else got meanwhile stays."""
        if self._cached.get(installation_id) is refused:
            del self._cached[installation_id]

    async def aclose(self) -> None:
        await self._minting.aclose()

    async def _renew(self, installation_id: int) -> Token:
        token = await self._mint(installation_id)
        if len(self._cached) >= _SWEEP_ABOVE:
            now_s = self._clock.monotonic_s()
            self._cached = {key: kept for key, kept in self._cached.items() if kept.usable(now_s)}
        self._cached[installation_id] = token
        return token


@dataclass(slots=True, kw_only=True)
class Refusals:
    """What one request has already tried against refused tokens: waits of 1, 2 and 3 s, and one new token."""

    waits: int = 0
    reminted: bool = False

    def next_step(self, status: int, *, fresh: bool) -> float | Literal["remint", "give up"]:
        """After a 401, or a 403 for lack of permission: seconds to wait, or ``remint``, or ``give up``.

        ``fresh`` tells whether the refused token was young when the request began to use it. An older one may lack
        what the installation was granted since: a token keeps the permissions that it was minted with.
        """
        if fresh and self.waits < len(FRESH_WAITS_S):
            self.waits += 1
            return FRESH_WAITS_S[self.waits - 1]
        if not self.reminted and (status == 401 or not fresh):
            self.reminted = True
            return "remint"
        return "give up"
