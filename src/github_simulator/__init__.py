"""A GitHub to run against: the REST operations that centralbot calls, webhooks, faults, plain pages, over real HTTP.

``Simulator`` holds the world, ``running`` serves it in the caller's loop, ``run`` as a process; ``control.py``
describes the control API for other processes.
"""

from __future__ import annotations

from github_simulator.faults import Fault, FaultKind
from github_simulator.server import Simulator, run, running

__all__ = ["Fault", "FaultKind", "Simulator", "run", "running"]
