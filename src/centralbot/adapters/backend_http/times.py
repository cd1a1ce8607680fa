"""The backend's clock, as far as its answers told it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from centralbot.ports.driven.clock import Clock

WINDOW_S = 60.0


class BackendTime:
    """Follows the backend's clock by the ``Date`` of its answers.

    An answer can be old when it is read: it lay in a socket buffer while this process was stopped. Its ``Date`` then
    says too little, never too much, so the greatest offset among the recent answers is the one to believe. "Recent" is
    this window and the one before: the first answer after a long stop cannot push out what was known before it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._current: float | None = None
        self._before: float | None = None
        self._last_text = ""
        self._last_unix = 0.0

    def heard(self, date: str | None) -> None:
        """Take the ``Date`` header of an answer that has just been read; anything unreadable is ignored."""
        if not date:
            return
        if date != self._last_text:
            try:
                self._last_unix = parsedate_to_datetime(date).timestamp()
            except (ValueError, OverflowError):
                return
            self._last_text = date
        offset = self._last_unix - self._clock.now().timestamp()
        now_s = self._clock.monotonic_s()
        if now_s - self._started_s > WINDOW_S:
            self._before, self._current, self._started_s = self._current, None, now_s
        self._current = offset if self._current is None else max(offset, self._current)

    @property
    def offset_s(self) -> float:
        """How far the backend's clock is ahead of ours, in seconds; 0 before its first answer."""
        known = [offset for offset in (self._current, self._before) if offset is not None]
        return max(known, default=0.0)

    def now(self) -> datetime:
        """The backend's time now, aware, in UTC."""
        return self._clock.now().astimezone(UTC) + timedelta(seconds=self.offset_s)
