"""The rows that the benchmark prints."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One ratio. ``at_least`` says which side of the target is good; one without a target only tells."""

    what: str
    figure: str
    reference: str
    ratio: float
    target: float | None
    at_least: bool = False

    @property
    def ok(self) -> bool:
        if self.target is None:
            return True
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target


def machine(postgres: str) -> str:
    """What it ran on."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, PostgreSQL {postgres}, {platform.machine()}"


def render(rows: list[Row]) -> str:
    """A table in plain text."""
    head = ("what", "figure", "reference", "ratio", "target", "")
    lines = [head]
    for row in rows:
        target, verdict = "", ""
        if row.target is not None:
            target = f"{'>=' if row.at_least else '<='} {row.target:g}"
            verdict = "ok" if row.ok else "MISS"
        lines.append((row.what, row.figure, row.reference, f"{row.ratio:.2f}", target, verdict))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column == 3 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
