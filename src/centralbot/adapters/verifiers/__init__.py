"""The proofs that come with centralbot; ``entrypoints/roots/verifiers.py`` registers them."""
