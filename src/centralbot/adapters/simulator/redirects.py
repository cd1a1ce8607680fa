"""Where a sign-in may send the browser back to, and how.

https://docs.github.com/en/apps/creating-github-apps/registering-a-github-app/about-the-user-authorization-callback-url
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[!-~]*)?")


def is_registered(redirect_uri: str, registered: Iterable[str]) -> bool:
    """Whether the address is one of the App's callback URLs; on loopback any port will do (RFC 8252, 7.3)."""
    return any(_same(redirect_uri, one) for one in registered)


def _same(given: str, registered: str) -> bool:
    if given == registered:
        return True
    if not _URL.fullmatch(given):
        return False
    try:
        ours, theirs = urlsplit(registered), urlsplit(given)
        theirs.port  # noqa: B018 - raises ValueError for what is no port
    except ValueError:
        return False
    if ours.hostname not in _LOOPBACK or "@" in theirs.netloc or theirs.fragment:
        return False
    return (theirs.scheme, theirs.hostname, theirs.path, theirs.query) == (
        ours.scheme, ours.hostname, ours.path, ours.query,
    )  # fmt: skip


def with_query(url: str, **values: str | None) -> str:
    """The address with these values added to its query; what is None is left out."""
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *((k, v) for k, v in values.items() if v is not None)]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))


def origin(url: str) -> str:
    """Scheme, host and port, as a CSP source; empty for what is no plain http address."""
    if not _URL.fullmatch(url):
        return ""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
