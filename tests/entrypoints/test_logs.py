"""Logs tell what happened, but no secret, and nobody can forge a line."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from centralbot.entrypoints.logs import HIDDEN, configure_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging is global: leave it as it was."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def logged(**values: Any) -> dict[str, Any]:
    stream = io.StringIO()
    configure_logging("json", "info", stream=stream)
    structlog.get_logger("centralbot").info("happened", **values)
    (line,) = stream.getvalue().splitlines()
    return dict(json.loads(line))


def test_an_event_is_one_json_line_with_level_utc_time_and_context() -> None:
    """Bound context goes with every event."""
    structlog.contextvars.bind_contextvars(delivery_id="d-1")
    event = logged(count=3)
    assert event.pop("timestamp").endswith("Z")
    assert event == {"delivery_id": "d-1", "count": 3, "event": "happened", "level": "info"}


@pytest.mark.parametrize(
    "key", ["secret", "bot_secret", "claim_token", "Authorization", "x-hub-signature-256", "body", "private_key", "dsn"]
)
def test_a_value_is_hidden_by_its_name(key: str) -> None:
    """Also inside other values."""
    assert logged(**{key: "abc"})[key] == HIDDEN
    assert logged(headers={key: b"abc", "n": 1})["headers"] == {key: HIDDEN, "n": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("got ghs_16C7e42F292c6912E7 back", f"got {HIDDEN} back"),
        ("github_pat_11ABCDEFG0123456789", HIDDEN),
        ("Bearer eyJhbGciOi.eyJpc3MiOi.c2lnbmF0", f"Bearer {HIDDEN}"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- ok", f"{HIDDEN} ok"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", HIDDEN),
        ("postgresql://me:pass@host/db", f"postgresql://{HIDDEN}@host/db"),
        ("GET https://api.github.com/app 200", "GET https://api.github.com/app 200"),
    ],
)
def test_a_secret_is_hidden_by_its_looks(text: str, expected: str) -> None:
    """Wherever it turns up, be it in a list."""
    assert logged(text=text)["text"] == expected
    assert logged(texts=[text])["texts"] == [expected]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_login_cannot_forge_a_line(form: Any) -> None:
    """Line ends, terminal escapes and backwards text are written as escapes."""
    stream = io.StringIO()
    configure_logging(form, "info", stream=stream)
    structlog.get_logger().info("seen", login="eve\r\n2026 [info] admin\x1b[2J\u2028\u202e\ud800\x9b", **{"a\nb": 1})
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert [mark for mark in "\r\x1b\u2028\u202e\ud800\x9b" if mark in text] == []
    assert "eve" in text


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_a_terminal_has_colors_unless_they_are_not_wanted(
    monkeypatch: pytest.MonkeyPatch, no_color: str, colored: bool
) -> None:
    """https://no-color.org."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("NO_COLOR", no_color)
    stream = Terminal()
    configure_logging("console", "info", stream=stream)
    structlog.get_logger().info("seen")
    assert ("\x1b[" in stream.getvalue()) is colored


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_is_logged_cleaned(form: Any) -> None:
    """An exception's message is as dangerous as any other text."""
    stream = io.StringIO()
    configure_logging(form, "info", stream=stream)
    try:
        raise ValueError("bad ghs_16C7e42F292c6912E7\n2026 [error] forged")
    except ValueError:
        structlog.get_logger().exception("failed")
    text = stream.getvalue()
    assert "ValueError: bad [hidden]" in text
    assert [line for line in text.splitlines() if line.startswith("2026 [error]")] == []


def test_libraries_speak_from_warning_up_in_the_same_form() -> None:
    """Their messages are cleaned as ours are."""
    stream = io.StringIO()
    configure_logging("json", "debug", stream=stream)
    for name in ("uvicorn.error", "litestar", "httpx"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("trouble with %s\n", "ghs_16C7e42F292c6912E7")
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(event["logger"], event["level"], event["event"]) for event in events] == [
        (name, "warning", "trouble with [hidden]\\n") for name in ("uvicorn.error", "litestar", "httpx")
    ]


def test_what_is_below_the_level_is_not_logged() -> None:
    """The level is the setting's."""
    stream = io.StringIO()
    configure_logging("console", "warning", stream=stream)
    structlog.get_logger().info("quiet")
    assert stream.getvalue() == ""
