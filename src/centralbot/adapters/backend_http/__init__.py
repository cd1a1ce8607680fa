"""The backend over signed HTTP (contract sections 2 to 4): where events go and where actions come from."""

from __future__ import annotations

from centralbot.adapters.backend_http.client import BackendClient

__all__ = ["BackendClient"]
