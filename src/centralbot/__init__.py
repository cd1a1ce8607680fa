"""centralbot: a door in front of a repository's pull requests.

The package is a hexagon: :mod:`centralbot.domain` (pure), :mod:`centralbot.ports` (what the core needs and offers),
:mod:`centralbot.adapters` (technologies) and :mod:`centralbot.entrypoints` (composition roots).
"""

from __future__ import annotations

__version__ = "0.1.0"
