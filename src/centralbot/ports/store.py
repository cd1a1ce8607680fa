"""The whole store, as one thing to open and to pass: what every adapter bundles and the contract suite tests."""

from __future__ import annotations

from typing import Protocol

from centralbot.ports.admin import Actions, Health, Repositories, ServiceKeys, Whitelist
from centralbot.ports.challenges import Challenges, Reports, Upkeep
from centralbot.ports.deliveries import Deliveries
from centralbot.ports.outbox import Outbox
from centralbot.ports.sessions import Nonces, Sessions


class Store(Protocol):
    """Everything that the backend keeps, one port per use. Its clock counts."""

    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def challenges(self) -> Challenges: ...
    @property
    def upkeep(self) -> Upkeep: ...
    @property
    def repositories(self) -> Repositories: ...
    @property
    def whitelist(self) -> Whitelist: ...
    @property
    def actions(self) -> Actions: ...
    @property
    def keys(self) -> ServiceKeys: ...
    @property
    def health(self) -> Health: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def nonces(self) -> Nonces: ...
    @property
    def reports(self) -> Reports: ...
