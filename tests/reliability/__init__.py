"""The reliability of the whole: real PostgreSQL, real processes, real signals, GitHub as the simulator plays it.

Three counts decide, and the fixture ``world`` takes them after every test, from what the simulator and the store hold:
deliveries answered 2xx whose effect is missing (0), comments per marker and pull request (1), pull requests closed that
should not have been (0). See ``counts.py`` for what each means, ``docs/faults.md`` for the rows.
"""
