"""The page on this machine that registers the GitHub App, for ``centralbot setup``."""
