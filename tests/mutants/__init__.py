"""Plants mistakes in the domain, one at a time, and shows that the contract suite on PostgreSQL notices each.

``python -m tests.mutants`` (ADR 11). ``sites`` finds what can be changed, ``exclusions`` says what is left alone and
why, ``run`` plays the suite on each mutant, ``child`` is the forked process in which one of them runs.
"""
