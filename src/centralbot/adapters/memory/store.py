"""The memory store: every port of the backend's store over one shared state."""

from __future__ import annotations

from centralbot.adapters.memory.admin import MemoryActions, MemoryRepositories, MemoryWhitelist
from centralbot.adapters.memory.challenges import MemoryChallenges
from centralbot.adapters.memory.deliveries import MemoryDeliveries
from centralbot.adapters.memory.keys import MemoryHealth, MemoryServiceKeys
from centralbot.adapters.memory.outbox import MemoryOutbox
from centralbot.adapters.memory.reports import MemoryReports
from centralbot.adapters.memory.sessions import MemorySessions, MemorySingleUse
from centralbot.adapters.memory.state import State
from centralbot.adapters.memory.upkeep import MemoryUpkeep
from centralbot.domain.gating import Gate
from centralbot.ports.driven.admin import Actions, Health, Repositories, ServiceKeys, Whitelist
from centralbot.ports.driven.challenges import Challenges, Upkeep
from centralbot.ports.driven.clock import Clock, Ids
from centralbot.ports.driven.deliveries import Deliveries
from centralbot.ports.driven.outbox import Outbox, OutboxRules
from centralbot.ports.driven.reports import Reports
from centralbot.ports.driven.sessions import Sessions, SingleUse


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
    single_use: SingleUse
    reports: Reports

    def __init__(self, clock: Clock, ids: Ids, rules: OutboxRules, gate: Gate) -> None:
        state = State(clock=clock, ids=ids, rules=rules, gate=gate)
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
        self.single_use = MemorySingleUse(state)
        self.reports = MemoryReports(state)
