"""Benchmarks: every figure of the README and the notes is printed by ``just bench``."""
