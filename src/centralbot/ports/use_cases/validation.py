"""What a whitelist and an extension may be: the rules that the API and the pages check."""

from __future__ import annotations

import re
from collections.abc import Sequence

from centralbot.domain.config import MAX_WINDOW_S
from centralbot.domain.events import Actor

MAX_WHITELIST = 1_000
MAX_RESOLVE = 100
MAX_ID = 2**63 - 1
MIN_EXTEND_S = 60
MAX_EXTEND_S = MAX_WINDOW_S
MAX_EXTENDED_S = 365 * 86_400
"""The longest that one challenge can get, all extensions together."""

LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?")
"""What GitHub has as logins, those of enterprises (underscore) and Apps among them."""


def whitelist_problem(users: Sequence[Actor]) -> str | None:
    """What is wrong with a whitelist, beginning with the field's name; None where nothing is."""
    if len(users) > MAX_WHITELIST:
        return f"entries: at most {MAX_WHITELIST}; these are {len(users)}"
    seen: set[int] = set()
    for place, user in enumerate(users):
        if not 1 <= user.id <= MAX_ID:
            return f"entries[{place}].github_user_id: expected an integer from 1 to 2^63 - 1"
        if not LOGIN.fullmatch(user.login):
            return f"entries[{place}].github_login: not a login of GitHub"
        if user.id in seen:
            return f"entries[{place}].github_user_id: {user.id} is listed twice"
        seen.add(user.id)
    return None


def cleaned_login(given: str) -> str | None:
    """A login as somebody typed it, without the space and the ``@`` around it; None for what is no login."""
    login = given.strip().removeprefix("@").strip()
    return login if LOGIN.fullmatch(login) else None
