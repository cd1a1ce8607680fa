"""How much is logged, and in which form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from centralbot.entrypoints.settings.reader import Reader

Format = Literal["json", "console"]
Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """For ``configure_logging``."""

    format: Format
    level: Level


def load_log_settings(environ: Mapping[str, str], *, terminal: bool) -> LogSettings:
    """``terminal``: whether a person reads along. Raises SettingsError."""
    reader = Reader(environ)
    form = reader.choice("CENTRALBOT_LOG_FORMAT", "console" if terminal else "json", ("json", "console"))
    level = reader.choice("CENTRALBOT_LOG_LEVEL", "info", ("debug", "info", "warning", "error"))
    return LogSettings(format=cast(Format, form), level=cast(Level, level))
