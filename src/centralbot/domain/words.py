"""Words for values that every surface shares."""

from __future__ import annotations


def duration(seconds: int) -> str:
    """Seconds in words, rounded to what a person would say: ``30 minutes``, ``2 hours``, ``1 day``."""
    for unit_s, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= unit_s and seconds % unit_s == 0:
            count = seconds // unit_s
            return f"{count} {word}{'s' if count != 1 else ''}"
    if seconds > 60:
        return duration(-(-seconds // 60) * 60)
    return f"{seconds} second{'s' if seconds != 1 else ''}"
