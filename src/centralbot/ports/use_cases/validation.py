"""What a configuration or a whitelist may be: the rules that the API, the pages and nobody else's store check."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from centralbot.domain.events import Actor
from centralbot.domain.policy import MAX_LABEL_CHARS, MAX_RULES_CHARS, MAX_WINDOW_S, MIN_WINDOW_S, RepoConfig

MAX_WHITELIST = 1_000
MAX_RESOLVE = 100
MAX_ID = 2**63 - 1
MIN_EXTEND_S = 60
MAX_EXTEND_S = MAX_WINDOW_S
MAX_EXTENDED_S = 365 * 86_400
"""The longest that one challenge can get, all extensions together."""

LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?")
"""What GitHub has as logins, those of enterprises (underscore) and Apps among them."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def problems(config: RepoConfig, kinds: Collection[str]) -> dict[str, str]:
    """What is wrong with a configuration, by field; empty where nothing is. ``kinds`` are the registered proofs."""
    found: dict[str, str] = {}
    if not MIN_WINDOW_S <= config.window_s <= MAX_WINDOW_S:
        found["window_s"] = f"expected a number of seconds from {MIN_WINDOW_S} to {MAX_WINDOW_S} (30 days)"
    if not config.verification:
        found["verification"] = "expected at least one proof; without any, everybody would pass"
    elif unknown := [kind for kind in config.verification if kind not in kinds]:
        found["verification"] = f"there is no proof {unknown[0][:50]!r}; known are {', '.join(kinds)}"
    elif len(set(config.verification)) != len(config.verification):
        found["verification"] = "the same proof is listed twice"
    if len(config.exempt_label) > MAX_LABEL_CHARS:
        found["exempt_label"] = f"a label of GitHub has at most {MAX_LABEL_CHARS} characters"
    elif _CONTROL.search(config.exempt_label) or config.exempt_label != config.exempt_label.strip():
        found["exempt_label"] = "a label is one line without space around it"
    if len(config.rules) > MAX_RULES_CHARS:
        found["rules"] = f"at most {MAX_RULES_CHARS} characters; these are {len(config.rules)}"
    elif _CONTROL_BUT_LINES.search(config.rules):
        found["rules"] = "control characters are not allowed"
    elif not _encodable(config.rules):
        found["rules"] = "not valid text"
    if not _encodable(config.exempt_label):
        found["exempt_label"] = "not valid text"
    return found


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


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True
