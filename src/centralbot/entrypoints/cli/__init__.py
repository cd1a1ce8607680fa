"""The command line: options to a use case, results to stdout, one line on stderr for what went wrong.

Everything heavy is imported inside the commands, so that ``centralbot --help`` is quick.
"""

from __future__ import annotations

from centralbot.entrypoints.cli.app import main

__all__ = ["main"]
