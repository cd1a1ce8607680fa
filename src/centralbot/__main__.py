"""``python -m centralbot``: the same as the console script."""

from __future__ import annotations

from centralbot.entrypoints.cli import main

if __name__ == "__main__":
    main()
