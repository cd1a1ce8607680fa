"""The machine's own clock and randomness."""

from centralbot.adapters.system.clock import SystemClock
from centralbot.adapters.system.ids import SystemIds

__all__ = ["SystemClock", "SystemIds"]
