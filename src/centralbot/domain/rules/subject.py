"""What a rule looks at: an author and a pull request, as far as they are known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from centralbot.domain.challenge import Challenge
from centralbot.domain.config import RepoConfig
from centralbot.domain.events import Actor, PullRequestEvent
from centralbot.domain.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An author and a pull request under a repository's rules. None is unknown.

    ``action`` is what just happened to the pull request, None where nothing did: it is looked at before acting. Then
    nobody is the ``sender`` and no ``label`` was just added.
    """

    now: datetime
    config: RepoConfig
    author: Actor
    whitelisted: bool
    action: str | None
    sender: Actor | None
    label: str | None
    facts: Facts

    @classmethod
    def of_event(cls, event: PullRequestEvent, *, config: RepoConfig, whitelisted: bool, now: datetime) -> Subject:
        """The subject of an event, with the facts that it tells."""
        facts = Facts(
            author_type=event.author_type,
            author_association=event.author_association,
            labels=event.labels,
            is_draft=event.is_draft,
            merged=event.merged,
            head_sha=event.head_sha,
            pull_request_updated_at=event.updated_at,
        )
        return cls(
            now=now,
            config=config,
            author=event.author,
            whitelisted=whitelisted,
            action=event.action,
            sender=event.sender,
            label=event.label if event.action == "labeled" else None,
            facts=facts,
        )

    @classmethod
    def of_challenge(
        cls, challenge: Challenge, *, config: RepoConfig, whitelisted: bool, now: datetime, facts: Facts
    ) -> Subject:
        """The subject of a challenge at the moment of acting: nothing is known but the account, and what was asked."""
        return cls(
            now=now,
            config=config,
            author=Actor(id=challenge.author_id, login=challenge.author_login),
            whitelisted=whitelisted,
            action=None,
            sender=None,
            label=None,
            facts=facts,
        )
