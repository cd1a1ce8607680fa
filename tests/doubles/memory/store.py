"""The memory store: every port of the backend's store over one shared state."""

from __future__ import annotations

from tests.doubles.memory.admin import (
    MemoryActions,
    MemoryHealth,
    MemoryRepositories,
    MemoryServiceKeys,
    MemoryWhitelist,
)
from tests.doubles.memory.challenges import MemoryChallenges, MemoryDeliveries, MemoryReports
from tests.doubles.memory.outbox import MemoryOutbox, MemoryUpkeep
from tests.doubles.memory.people import MemoryNonces, MemorySessions
from tests.doubles.memory.state import State

from centralbot.domain.gating import DecisionContext
from centralbot.domain.outbox import OutboxRules
from centralbot.ports.admin import Actions, Health, Repositories, ServiceKeys, Whitelist
from centralbot.ports.challenges import Challenges, Reports, Upkeep
from centralbot.ports.clock import Clock, Ids
from centralbot.ports.deliveries import Deliveries
from centralbot.ports.outbox import Outbox
from centralbot.ports.sessions import Nonces, Sessions


class MemoryStore:
    """A whole store in one process, gone with it. Safe for any number of tasks of one event loop."""

    deliveries: Deliveries
    outbox: Outbox
    challenges: Challenges
    upkeep: Upkeep
    repositories: Repositories
    whitelist: Whitelist
    actions: Actions
    keys: ServiceKeys
    health: Health
    sessions: Sessions
    nonces: Nonces
    reports: Reports

    def __init__(self, clock: Clock, ids: Ids, rules: OutboxRules, context: DecisionContext) -> None:
        state = State(clock=clock, ids=ids, rules=rules, context=context)
        self.deliveries = MemoryDeliveries(state)
        self.outbox = MemoryOutbox(state)
        self.challenges = MemoryChallenges(state)
        self.upkeep = MemoryUpkeep(state)
        self.repositories = MemoryRepositories(state)
        self.whitelist = MemoryWhitelist(state)
        self.actions = MemoryActions(state)
        self.keys = MemoryServiceKeys(state)
        self.health = MemoryHealth(state)
        self.sessions = MemorySessions(state)
        self.nonces = MemoryNonces(state)
        self.reports = MemoryReports(state)
