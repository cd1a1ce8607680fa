"""The command line: options to a use case, results to stdout, one line on stderr for what went wrong.

Everything heavy is imported inside the commands, so that ``centralbot --help`` is quick. This module needs the standard
library alone, so that it can say what is missing where only the domain was installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """The console script."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        getattr(sys, name).reconfigure(errors="backslashreplace")
    try:
        from centralbot.entrypoints.cli.app import run

        sys.exit(run())
    except ModuleNotFoundError as exc:
        library = missing_library(exc)
        if library is None:
            raise
        print(
            f"error: '{library}' is not installed, which the commands need: pip install 'centralbot[server]'",
            file=sys.stderr,
        )
        sys.exit(1)


def missing_library(exc: Exception) -> str | None:
    """The library that could not be imported; None for any other error."""
    package = (exc.name or "").partition(".")[0] if isinstance(exc, ModuleNotFoundError) else ""
    return None if package in ("", "centralbot", "github_simulator") else package
