"""The gate inside a program of your own: centralbot's domain over a store of its own, here SQLite. Needs nothing else.

Each method of ``Gate`` is one transaction of four steps: lock, read the facts, let the domain decide, write what it
returned. No rule is written here: not whom to ask or to close, not what is handed out, not what a result means. Below
it a program plays GitHub, five authors and two bots. Run it: ``python examples/embed.py``
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints
from uuid import UUID, uuid4

from centralbot import domain
from centralbot.domain import (
    Action,
    ActionType,
    Actor,
    Challenge,
    Decision,
    InstallationStatus,
    Outcome,
    Permission,
    RepoConfig,
)

SCHEMA = """
CREATE TABLE challenges (id TEXT PRIMARY KEY, document TEXT);
CREATE TABLE actions (id TEXT PRIMARY KEY, document TEXT);
CREATE TABLE deliveries (id TEXT PRIMARY KEY, repo_id INTEGER, pr_number INTEGER, closed_at TEXT);
CREATE TABLE whitelist (repo_id INTEGER, user_id INTEGER);
"""
T = TypeVar("T")


class Gate:
    """The gate of one installation, which is active and never paused. Times come with every call."""

    def __init__(self, path: str, context: domain.DecisionContext, rules: domain.OutboxRules) -> None:
        self.context, self.rules = context, rules
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.executescript(SCHEMA)

    def take(self, event: domain.PullRequestEvent, *, now: datetime) -> Decision | None:
        """Take a delivery; None for one that was taken before."""
        pull = (event.repository.id, event.number)
        with self.transaction():
            if self.sql("SELECT 1 FROM deliveries WHERE id = ?", event.delivery_id):
                return None
            closes = "SELECT max(closed_at) FROM deliveries WHERE repo_id = ? AND pr_number = ?"
            ((closed_at,),) = self.sql(closes, *pull)
            facts = domain.GateFacts(
                now=now,
                installation=InstallationStatus.ACTIVE,
                repository_active=True,
                config=None,
                whitelisted=self.is_whitelisted(event.repository.id, event.author.id),
                challenge=domain.counting(self.challenges(pull)),
                last_closed_at=None if closed_at is None else datetime.fromisoformat(closed_at),
            )
            decision = domain.decide(self.context, event, facts)
            self.apply(decision.effects, now)
            closed_at = event.at.isoformat() if event.action in domain.CLOSING else None
            self.sql("INSERT INTO deliveries VALUES (?, ?, ?, ?)", event.delivery_id, *pull, closed_at)
            return decision

    def verify(self, challenge_id: UUID, *, actor: str, now: datetime) -> None:
        """The author has passed every proof. Raises ChallengeNotPending."""
        with self.transaction():
            facts = self.facts(self.challenge(challenge_id), now)
            self.apply(domain.on_verified(self.context, facts, actor=actor), now)

    def sweep(self, *, now: datetime) -> None:
        """Decide what is due, and take back what dead workers hold."""
        with self.transaction():
            for challenge in self.challenges():
                if domain.is_due(challenge, now=now):
                    position = len([one for one in self.queue() if one.action_type is ActionType.CLOSE_PR_WITH_COMMENT])
                    effects = domain.on_deadline(self.context, self.facts(challenge, now), position=position)
                    self.apply(effects, now)
            limit = self.rules.max_attempts
            for action in self.queue():
                if domain.needs_rescue(action, max_attempts=limit, now=now):
                    about = self.challenge(action.challenge_id)
                    self.write(domain.on_rescue(self.context, action, about, max_attempts=limit, now=now), now)

    def claim(self, worker_id: str, *, now: datetime) -> list[Action]:
        """Lease to a worker what may be done now: of each pull request the oldest."""
        with self.transaction():
            oldest = {action.pr_key: action for action in reversed(self.queue())}
            found = [self.hand_out(action, worker_id, now) for action in oldest.values()]
            leased = [action for action in found if action is not None]
            for action in leased:
                self.put(action)
            return sorted(leased, key=lambda action: action.seq)

    def hand_out(self, action: Action, worker_id: str, now: datetime) -> Action | None:
        challenge = self.challenge(action.challenge_id)
        return domain.hand_out(
            action,
            challenge,
            self.context.defaults,
            whitelisted=self.is_whitelisted(challenge.repo_id, challenge.author_id),
            installation_status=InstallationStatus.ACTIVE,
            paused_until=None,
            repo_full_name=None,
            worker_id=worker_id,
            token=uuid4(),
            rules=self.rules,
            now=now,
        )

    def settle(self, result: domain.Settlement, *, now: datetime) -> None:
        """Take a worker's result. Raises ActionNotHeld."""
        with self.transaction():
            (action,) = [one for one in self.actions() if one.id == result.action_id]
            challenge = self.challenge(action.challenge_id)
            decision = domain.on_result(
                self.context,
                result,
                action,
                challenge,
                standing=domain.Standing(facts=self.facts(challenge, now), config=self.context.defaults),
                paused_until=None,
                rules=self.rules,
                jitter=0.5,
                now=now,
            )
            self.write(decision, now, result.comment_id)

    # Lock, read and write. Everything is read and sifted in Python, to be short: yours has columns and indexes.

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.db.execute("BEGIN IMMEDIATE")
        with self.db:
            yield

    def sql(self, statement: str, *values: object) -> list[Any]:
        return self.db.execute(statement, values).fetchall()

    def challenges(self, pull: tuple[int, int] | None = None) -> list[Challenge]:
        found = [from_json(Challenge, row[0]) for row in self.sql("SELECT document FROM challenges ORDER BY rowid")]
        return [one for one in found if pull in (None, (one.repo_id, one.pr_number))]

    def challenge(self, challenge_id: UUID | None) -> Challenge:
        return next(one for one in self.challenges() if one.id == challenge_id)

    def actions(self) -> list[Action]:
        found = [from_json(Action, row[0]) for row in self.sql("SELECT document FROM actions")]
        return sorted(found, key=lambda action: action.seq)

    def queue(self) -> list[Action]:
        return [action for action in self.actions() if action.status not in domain.SETTLED]

    def is_whitelisted(self, repo_id: int, user_id: int) -> bool:
        return bool(self.sql("SELECT 1 FROM whitelist WHERE repo_id = ? AND user_id = ?", repo_id, user_id))

    def facts(self, challenge: Challenge, now: datetime) -> domain.ChallengeFacts:
        about = [action for action in self.actions() if action.challenge_id == challenge.id]
        closes = [action for action in about if action.action_type is ActionType.CLOSE_PR_WITH_COMMENT]
        return domain.facts_of(
            challenge,
            now=now,
            of_pull_request=self.challenges((challenge.repo_id, challenge.pr_number)),
            whitelisted=self.is_whitelisted(challenge.repo_id, challenge.author_id),
            mode=None,
            close=closes[-1] if closes else None,
            kept=None,
            installation_id=None,
            repo_full_name=None,
        )

    def apply(self, effects: domain.Effects, now: datetime, *, besides: UUID | None = None) -> None:
        others = [action for action in self.queue() if action.id != besides]
        for action in domain.withdrawn(others, cancel=effects.cancel_actions, new=effects.actions, now=now):
            self.put(action)
        if effects.changed is not None:
            after = effects.changed.challenge
            self.sql("UPDATE challenges SET document = ? WHERE id = ?", to_json(after), str(after.id))
        if effects.created is not None:
            self.sql("INSERT INTO challenges VALUES (?, ?)", str(effects.created.id), to_json(effects.created))
        for new in effects.actions:
            self.put(domain.queued(new, seq=len(self.actions()), now=now))

    def write(self, decision: domain.ActionDecision[Action], now: datetime, comment_id: int | None = None) -> None:
        self.apply(decision.effects, now, besides=decision.action.id)
        self.put(replace(decision.action, payload=decision.action.payload.with_comment(comment_id)))

    def put(self, action: Action) -> None:
        document = to_json(replace(action, policy=None))
        self.sql("INSERT OR REPLACE INTO actions VALUES (?, ?)", str(action.id), document)


def to_json(value: Challenge | Action) -> str:
    return json.dumps(asdict(value), default=str)


def from_json(kind: type[T], document: str) -> T:
    types, fields = get_type_hints(kind), json.loads(document)
    if "payload" in fields:
        fields["payload"] = domain.PAYLOADS[fields["action_type"]](**fields["payload"])
    return kind(**{name: revived(types[name], value) for name, value in fields.items()})


def revived(kind: Any, value: Any) -> Any:
    """What JSON has no form for: times, ids, words, tuples."""
    if isinstance(kind, UnionType):
        kind = next(one for one in get_args(kind) if one is not NoneType)
    if isinstance(value, str):
        return datetime.fromisoformat(value) if kind is datetime else kind(value)
    return get_origin(kind)(value) if isinstance(value, list) else value


# A program around it.

REPOSITORY = domain.RepositoryRef(id=999, full_name="octo-org/octo-repo")
SEEN = domain.Facts(labels=(), is_draft=False)


def opened(number: int, login: str, at: datetime) -> domain.PullRequestEvent:
    """What GitHub's webhook says of a new pull request."""
    return domain.PullRequestEvent(
        delivery_id=f"delivery-{number}",
        event_time=at,
        updated_at=at,
        installation_id=123,
        action="opened",
        repository=REPOSITORY,
        number=number,
        pull_request_id=1000 + number,
        html_url=f"https://github.com/{REPOSITORY.full_name}/pull/{number}",
        is_draft=False,
        author=Actor(id=number, login=login),
        author_type=domain.UserType.USER,
        author_association=domain.AuthorAssociation.NONE,
        head_sha="a" * 40,
        merged=False,
        sender=Actor(id=number, login=login),
        labels=(),
        label=None,
    )


def work(gate: Gate, bot: str, now: datetime, *, reports: bool = True) -> None:
    """A bot that prints what it would do on GitHub, once it has looked at what GitHub shows at that moment."""
    while leased := gate.claim(bot, now=now):
        for action in leased:
            seen = replace(SEEN, author_permission=Permission.WRITE if action.pr_number == 5 else Permission.READ)
            judgement = domain.GO if action.policy is None else domain.judge(action.policy, seen, now=now)
            withheld = judgement.withhold is not None
            print(f"#{action.pr_number}: {bot} {'withholds' if withheld else 'does'} {action.action_type}")
            result = domain.Settlement(
                action_id=action.id,
                worker_id=bot,
                outcome=Outcome.WITHHELD if withheld else Outcome.SUCCEEDED,
                claim_token=action.claim_token,
                failure_code=judgement.withhold,
                retry_after_s=judgement.retry_after_s,
                comment_id=None if withheld else action.pr_number,
                facts=seen,
            )
            if reports:
                gate.settle(result, now=now)


def main() -> None:
    """One author passes in time, one is on the whitelist, one never passes, one passes late, one may write anyway."""
    context = domain.DecisionContext(
        defaults=RepoConfig(mode=domain.Mode.ENFORCE, window_s=1800, comment_on_exempt=False),
        new_id=uuid4,
        gate_url=lambda challenge_id: f"https://example.org/g/{challenge_id}",
    )
    gate = Gate(":memory:", context, domain.OutboxRules(lease_s=60, max_attempts=12))
    gate.sql("INSERT INTO whitelist VALUES (?, ?)", REPOSITORY.id, 2)
    now = datetime(2026, 2, 16, 12, 0, tzinfo=UTC)
    for number, login in enumerate(("quick", "trusted", "slow", "late", "writer"), start=1):
        event = opened(number, login, now)
        for decision in (gate.take(event, now=now), gate.take(event, now=now)):  # GitHub may deliver it twice
            print(f"#{number} by {login}: {'taken before' if decision is None else decision.reason}")
    quick, _, _, late, _ = gate.challenges()
    work(gate, "a bot that dies", now, reports=False)
    now += timedelta(seconds=61)
    gate.sweep(now=now)
    work(gate, "the bot", now)
    gate.verify(quick.id, actor="github:1", now=now)
    now += timedelta(seconds=1801)
    gate.sweep(now=now)
    now += timedelta(seconds=10)
    work(gate, "the bot", now)
    gate.verify(late.id, actor="github:4", now=now)
    work(gate, "the bot", now)
    for challenge in gate.challenges():
        print(f"#{challenge.pr_number} ends {challenge.status} ({challenge.reason})")


if __name__ == "__main__":
    main()
