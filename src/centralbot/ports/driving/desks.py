"""The owner's desk, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from centralbot.domain.gating import Gate
from centralbot.ports.driven.admin import Repositories, Whitelist
from centralbot.ports.driven.challenges import Challenges
from centralbot.ports.driven.people import PeopleOnGitHub
from centralbot.ports.driven.reports import Reports
from centralbot.ports.driving.accounts import Accounts
from centralbot.ports.driving.owner import Desk, Owner
from centralbot.ports.driving.owner_challenges import OwnerChallenges
from centralbot.ports.driving.owner_whitelist import OwnerWhitelist
from centralbot.ports.driving.rights import Rights
from centralbot.ports.driving.verify import Verdicts


@dataclass(frozen=True, slots=True)
class Desks:
    """Everything that an owner or a maintainer can do."""

    owner: Owner
    whitelist: OwnerWhitelist
    challenges: OwnerChallenges


def open_desks(
    *,
    repositories: Repositories,
    whitelist: Whitelist,
    challenges: Challenges,
    reports: Reports,
    verdicts: Verdicts,
    gate: Gate,
    accounts: Accounts,
    people: PeopleOnGitHub,
    rights: Rights,
    kinds: Mapping[str, str],
) -> Desks:
    """The desks over a store and GitHub. ``kinds``: each registered proof and what an owner reads beside it."""
    desk = Desk(repositories, rights, gate)
    return Desks(
        Owner(desk=desk, accounts=accounts, people=people, reports=reports, kinds=kinds),
        OwnerWhitelist(desk=desk, accounts=accounts, people=people, whitelist=whitelist),
        OwnerChallenges(desk=desk, challenges=challenges, reports=reports, verdicts=verdicts),
    )
