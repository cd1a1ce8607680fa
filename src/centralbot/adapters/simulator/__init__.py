"""A GitHub to run against: the REST operations that centralbot calls, webhooks, faults, plain pages, over real HTTP.

``Simulator`` holds the world, ``running`` serves it in the caller's loop, ``run`` as a process; ``control.py``
describes the control API for other processes.
"""

from .faults import Fault, FaultKind
from .server import run, running
from .simulator import Simulator

__all__ = ["Fault", "FaultKind", "Simulator", "run", "running"]
