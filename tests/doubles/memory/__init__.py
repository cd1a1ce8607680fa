"""In-memory adapters: the ports' docstrings, executable; for tests, demos and embedding."""
