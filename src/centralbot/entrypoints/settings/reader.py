"""Reads settings from the environment and .env, and says what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from dotenv.parser import parse_stream

from centralbot.domain.errors import CentralbotError

PREFIX, OF_TESTS = "CENTRALBOT_", "CENTRALBOT_TEST_"
NAMES = frozenset(
    PREFIX + name
    for name in (
        "API_HOST", "API_PORT", "BACKEND_URL", "BOT_KEY_ID", "BOT_SECRET", "CLAIM_LIMIT", "DATABASE_URL", "DATA_DIR",
        "DEFAULT_MODE", "GITHUB_API_URL", "GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY", "GITHUB_APP_SLUG",
        "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", "GITHUB_WEBHOOK_SECRET", "GITHUB_WEBHOOK_URL", "GITHUB_WEB_URL",
        "LEASE_S", "LOG_FORMAT", "LOG_LEVEL", "MAX_ATTEMPTS", "MAX_IN_FLIGHT", "PUBLIC_URL", "SECRET_KEY", "WINDOW_S",
        "WORKER_HOST", "WORKER_ID", "WORKER_PORT", "WRITE_INTERVAL_S",
    )
)  # fmt: skip


def unknown_names(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each name of ``environ`` that looks like a setting and is none, with what to do about it; never its value."""
    for name in sorted(environ):
        as_ours = name.upper()
        if not as_ours.startswith(PREFIX) or name in NAMES or name.startswith(OF_TESTS):
            continue
        near = get_close_matches(as_ours, NAMES, n=1, cutoff=0.8)
        yield name, f"did you mean {near[0]}?" if near else "remove it, or see README, Settings"


class SettingsError(CentralbotError):
    """A setting is missing or wrong. The message is one line and names the variable."""

    code = "SETTINGS"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(" ".join(f"{name}: {problem}".split()))
        self.name = name


def read_environ(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """``environ`` over what ``.env`` in ``directory`` says. Neither is changed; ``$`` in the file stands for itself.

    Raises SettingsError for a line that cannot be read: the setting that it was meant to be would be missed silently.
    """
    file = directory / ".env"
    try:
        lines = list(parse_stream(StringIO(file.read_text("utf-8")))) if file.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(str(file), f"cannot be read as UTF-8 text: {error}; repair or remove it") from error
    for line in lines:
        if line.error:
            text = line.original.string
            number = line.original.line + text[: len(text) - len(text.lstrip())].count("\n")
            raise SettingsError(str(file), f"line {number} is not NAME=value, or a quote is not closed; correct it")
    return {line.key: line.value for line in lines if line.key is not None and line.value is not None} | dict(environ)


@dataclass(frozen=True, slots=True)
class Reader:
    """Typed access to settings by name. Every method raises SettingsError."""

    environ: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """The value without surrounding blanks; None when unset or empty."""
        return self.environ.get(name, "").strip() or None

    def required(self, name: str, hint: str) -> str:
        """A value that must be there; ``hint`` says where to get it."""
        value = self.text(name)
        if value is None:
            raise SettingsError(name, f"is not set; {hint}")
        return value

    def matching(self, name: str, pattern: str, value: str, description: str) -> str:
        """``value`` of ``name``, if it is what ``description`` says."""
        if not re.fullmatch(pattern, value):
            raise SettingsError(name, f"expected {description}; correct it")
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``."""
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII) or not low <= int(value) <= high:
            raise SettingsError(
                name, f"expected a whole number from {low} to {high}, not {value[:40]!r}; correct or unset it"
            )
        return int(value)

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from ``low`` to ``high``."""
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value, re.ASCII) or not low <= float(value) <= high:
            raise SettingsError(
                name, f"expected a number from {low:g} to {high:g}, not {value[:40]!r}; correct or unset it"
            )
        return float(value)

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of ``choices``, in any case."""
        value = (self.text(name) or default).lower()
        if value not in choices:
            raise SettingsError(
                name, f"expected {', '.join(choices[:-1])} or {choices[-1]}, not {value[:40]!r}; correct it"
            )
        return value

    def host(self, name: str, default: str) -> str:
        """A host name or address to listen on."""
        return self.matching(
            name, r"[A-Za-z0-9.:_%-]{1,253}", self.text(name) or default, "a host name or an IP address"
        )

    def url(self, name: str, default: str) -> str:
        """An http or https URL, without a slash at its end."""
        value = (self.text(name) or default).rstrip("/")
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good or "@" in parts.netloc or parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", value):
            raise SettingsError(
                name, "expected a URL such as https://example.org, without user, query or fragment; correct it"
            )
        return value

    def origin(self, name: str, default: str) -> str:
        """An http or https URL without a path: what stands before it belongs to the pages."""
        value = self.url(name, default)
        if urlsplit(value).path:
            raise SettingsError(
                name,
                "expected a URL without a path, such as https://gate.example.org: the pages need an origin of "
                "their own; correct it",
            )
        return value
