"""The demo: real processes around a simulated GitHub, a story played on them, and a check of what GitHub then shows."""
