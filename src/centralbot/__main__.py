"""``python -m centralbot``: the same as the console script."""

from centralbot.entrypoints.cli import main

if __name__ == "__main__":
    main()
