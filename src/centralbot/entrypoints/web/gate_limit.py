"""Who guesses gate links, or sends what GitHub refuses, is slowed down, by address, in bounded memory.

Of our own, because the memory storage of the ``limits`` package (5.8) bounds how long it remembers an address, by a
timer thread, but not how many: a flood of addresses would fill the process.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from centralbot.domain.errors import RateLimited

if TYPE_CHECKING:
    from centralbot.entrypoints.web.guard import AnyRequest

ALLOWED = 30
WINDOW_S = 60.0
MAX_ADDRESSES = 10_000
MAX_HOST_CHARS = 64
UNKNOWN_LINKS = "too many unknown links from your network; wait a minute and open the link in the comment again"


class Guesses:
    """Counts misses (unknown links, refused tokens) per client, who waits after ``allowed`` within ``window_s``.

    The limit guards no secret (a link has 128 bits): it keeps a flood of guesses from the store and from GitHub. So it
    may forget the address that it heard of longest ago when there are more than ``max_addresses``. One process each.
    """

    def __init__(
        self,
        monotonic_s: Callable[[], float],
        *,
        allowed: int = ALLOWED,
        window_s: float = WINDOW_S,
        max_addresses: int = MAX_ADDRESSES,
        message: str = UNKNOWN_LINKS,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._allowed = allowed
        self._window_s = window_s
        self._max_addresses = max_addresses
        self._message = message
        self._missed: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises RateLimited for an address that has missed too often."""
        began, count = self._missed.get(address, (0.0, 0))
        left_s = began + self._window_s - self._monotonic_s()
        if count >= self._allowed and left_s > 0:
            raise RateLimited(self._message, retry_after_s=int(left_s) + 1)

    def missed(self, address: str) -> None:
        """That address asked for a link that does not exist, or brought what GitHub refuses."""
        now_s = self._monotonic_s()
        began, count = self._missed.pop(address, (now_s, 0))
        if began + self._window_s <= now_s:
            began, count = now_s, 0
        self._missed[address] = (began, count + 1)
        if len(self._missed) > self._max_addresses:
            self._missed.popitem(last=False)

    def __len__(self) -> int:
        return len(self._missed)


def client_of(request: AnyRequest) -> str:
    """Whom to count: the client's IPv4 address, or its IPv6 network of 64 bits, which is one household's."""
    host = request.client.host if request.client is not None else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:MAX_HOST_CHARS]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)
