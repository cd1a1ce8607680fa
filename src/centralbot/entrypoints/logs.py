"""Logs: one event a line on stderr, JSON for machines or text for a terminal, without secrets and without forgeries."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from threading import Lock
from typing import Any, Final, Literal, TextIO

import msgspec
import structlog
from structlog.typing import Processor

Event = MutableMapping[str, Any]

HIDDEN: Final = "[hidden]"
_ENCODER = msgspec.json.Encoder(enc_hook=str)
_SECRET_KEY = re.compile(
    r"secret|token|authorization|signature|password|private_?key|cookie|^body$|dsn|database_url", re.I
)
_SECRET_VALUE = re.compile(
    r"gh[a-z]_[A-Za-z0-9._-]{8,}"  # GitHub's tokens, opaque, dots included
    r"|github_pat_[A-Za-z0-9._-]{8,}"
    r"|eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*"  # JWT
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^\s/:@]*:[^\s/@]*(?=@)",  # user and password of a URL
    re.DOTALL,
)
# Control and format characters (terminal escapes, line ends, text that runs backwards) and lone surrogates.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


# What most values look like: an id, a number, a word. Nothing to hide ("gh?_", "eyJ", "://") and nothing to escape.
_PLAIN = re.compile(r"(?:[0-9a-f-]+|[A-Z_]+|[a-z.-]+(?:_request|_repositories)?|[0-9T:.Z-]+)")
_SHORT = 64
_is_plain = _PLAIN.fullmatch


class Lines:
    """Lines to a stream: one write for what one turn of an event loop says; an error, and all outside one, at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._held: list[str] = []
        self._lock = Lock()

    def msg(self, line: str) -> None:
        """Write the line by the end of this turn of the event loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.now(line)
            return
        with self._lock:
            if not self._held:
                loop.call_soon(self.flush)
            self._held.append(line + "\n")

    def now(self, line: str) -> None:
        """Write what waits and the line."""
        self.write(line + "\n")
        self.flush()

    debug = info = msg
    warning = warn = error = exception = critical = fatal = now

    def write(self, text: str) -> None:
        """As a stream's: for the handler of the libraries' logs, which flushes."""
        with self._lock:
            self._held.append(text)

    def flush(self) -> None:
        with self._lock:
            held, self._held = self._held, []
            if held:
                self._stream.write("".join(held))
            self._stream.flush()


def configure_logging(
    format: Literal["json", "console"],
    level: Literal["debug", "info", "warning", "error"],
    *,
    stream: TextIO | None = None,
) -> None:
    """Send everything to ``stream`` (stderr): ours from ``level`` up, the libraries' from WARNING up."""
    target = stream if stream is not None else sys.stderr
    lines = Lines(target)
    prepared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _clean,
    ]
    renderer: Processor = structlog.processors.JSONRenderer(serializer=_json)
    if format == "console":
        renderer = structlog.dev.ConsoleRenderer(
            colors=target.isatty() and not os.environ.get("NO_COLOR"),  # https://no-color.org
            exception_formatter=structlog.dev.plain_traceback,
            sort_keys=False,
        )
    structlog.configure(
        processors=[*prepared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    atexit.register(lines.flush)
    handler = logging.StreamHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *prepared, renderer],
            use_get_message=True,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "litestar", "httpx", "httpcore", "asyncio"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(logging.WARNING)


def _json(event: Event, **_: Any) -> str:
    return _ENCODER.encode(event).decode()


def _clean(_logger: Any, _method: str, event: Event) -> Event:
    """Hide what is secret, by name and by looks, and write control characters as escapes."""
    cleaned: Event = {}
    for key, value in event.items():
        kind = type(value)
        # Nearly every value passes here; what is left out takes the long way and comes to the same.
        if (
            kind is int
            or value is None
            or (kind is str and len(value) < _SHORT and _is_plain(value) is not None and not _is_secret(str(key)))
        ):
            cleaned[_name(key)] = value
        else:
            cleaned[_name(key)] = _value(key, value)
    return cleaned


@lru_cache(maxsize=512)
def _name(key: str) -> str:
    return _escape(str(key))


@lru_cache(maxsize=512)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _value(key: str, value: Any) -> Any:
    kind = type(value)
    if kind is int or kind is bool or kind is float or value is None:
        return value
    if _is_secret(str(key)):
        return HIDDEN
    if kind is str and len(value) < _SHORT and _is_plain(value):
        return value
    if isinstance(value, Mapping):
        return {_escape(str(inner)): _value(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(key, item) for item in value]
    text = _SECRET_VALUE.sub(HIDDEN, str(value))
    # A traceback keeps its lines, indented: what its message holds cannot pass for a line of the log.
    return "\n    ".join(map(_escape, text.split("\n"))) if key == "exception" else _escape(text)


def _escape(text: str) -> str:
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)
