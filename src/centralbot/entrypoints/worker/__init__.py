"""The bot: GitHub's webhooks in, claimed actions out. It keeps nothing on disk."""
