"""The App's own credential: a short-lived JWT signed with its private key.

Source: https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/
generating-a-json-web-token-jwt-for-a-github-app (RS256; ``iat`` a minute back; ``exp`` at most ten minutes ahead).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Generic, Literal, TypeVar

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from centralbot.domain.errors import ValidationError
from centralbot.ports.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

BACKDATED_S: Final = 60
LIFETIME_S: Final = 540
"""Ahead of now; a minute below GitHub's ten, for clocks that differ."""


class SingleFlight(Generic[K, V]):
    """Runs work in a task of its own, so that a caller who gives up does not take it from the others."""

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Task[V]] = {}

    async def run(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The outcome of the work under way for ``key``; starts ``work`` if there is none."""
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(work())
            self._running[key] = task
            task.add_done_callback(partial(self._done, key))
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """Cancel what is under way."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, key: K, task: asyncio.Task[V]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen, even if every caller has given up


def load_private_key(pem: str) -> RSAPrivateKey:
    """Read the key that GitHub gave for the App. ``\\n`` written as two characters, as in ``.env`` files, is fine."""
    try:
        key = load_pem_private_key(pem.replace("\\n", "\n").strip().encode(), password=None)
    except (ValueError, TypeError) as error:
        raise ValidationError(_NO_KEY) from error
    if not isinstance(key, RSAPrivateKey):
        raise ValidationError(_NO_KEY)
    return key


def app_jwt(app_id: str, key: RSAPrivateKey, now: datetime) -> str:
    """The JWT of the App ``app_id`` (its id or client id) at GitHub's time ``now``."""
    now_s = int(now.timestamp())
    claims = {"iat": now_s - BACKDATED_S, "exp": now_s + LIFETIME_S, "iss": str(app_id)}
    return jwt.encode(claims, key, algorithm="RS256")


_NO_KEY: Final = (
    "CENTRALBOT_GITHUB_APP_PRIVATE_KEY: not an unencrypted RSA key in PEM form; "
    "generate one on the App's settings page at GitHub and give the whole file"
)


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
