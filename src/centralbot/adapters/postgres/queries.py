"""Named SQL: every query is one described file in ``sql/``, loaded by name."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def sql(name: str) -> bytes:
    """The text of ``sql/<name>.sql``, without its describing comment lines at the top."""
    text = files(__package__).joinpath("sql", f"{name}.sql").read_text("utf-8")
    lines = text.splitlines()
    while lines and lines[0].startswith("--"):
        lines.pop(0)
    return "\n".join(lines).encode()
