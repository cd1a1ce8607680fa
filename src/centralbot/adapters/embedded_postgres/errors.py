"""What can go wrong with the embedded server."""

from __future__ import annotations

from centralbot.domain.errors import CentralbotError


class EmbeddedPostgresError(CentralbotError):
    """The embedded server cannot be used here. The message says why and what to do instead."""

    code = "EMBEDDED_POSTGRES"
