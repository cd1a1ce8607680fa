"""The pure core: gating, dedup, installation lifecycle, the outbox machine, signing and comment texts.

Standard library only, synchronous, no clock, no I/O: times, ids and chance are arguments. Another service can embed
it as it is (see ``examples/embed.py``).
"""
