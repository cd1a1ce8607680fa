"""The people's side of the backend, wired: sign-in, the owners' API and pages, the contributors' page."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from centralbot import __version__
from centralbot.adapters.github.people_app import PeopleSettings, open_people
from centralbot.adapters.postgres.cipher import Cipher, derive
from centralbot.adapters.system import SystemIds
from centralbot.entrypoints.api.app import PeopleSide
from centralbot.entrypoints.api.owner import owner_routes
from centralbot.entrypoints.api.signin import sign_in_routes
from centralbot.entrypoints.roots.verifiers import verifiers
from centralbot.entrypoints.settings import WebSettings
from centralbot.entrypoints.settings.oauth import CALLBACK_PATH
from centralbot.entrypoints.web.gate import gate_routes
from centralbot.entrypoints.web.guard import Guard
from centralbot.entrypoints.web.owner import owner_pages
from centralbot.entrypoints.web.render import Pages
from centralbot.ports.driven.people import PeopleOnGitHub, SignIn
from centralbot.ports.driven.verifier import Verifier
from centralbot.ports.driving.accounts import Accounts
from centralbot.ports.driving.desks import open_desks
from centralbot.ports.driving.gate import GateKeeper
from centralbot.ports.driving.rights import Rights

if TYPE_CHECKING:
    from centralbot.entrypoints.roots.backend import Backend


@asynccontextmanager
async def people_side(backend: Backend, web: WebSettings) -> AsyncIterator[PeopleSide]:
    """What people are served; its connections to GitHub end with the block.

    Nothing is asked of GitHub before somebody comes.
    """
    settings = PeopleSettings(
        client_id=web.oauth.client_id if web.oauth else "",
        client_secret=web.oauth.client_secret if web.oauth else "",
        api_url=web.api_url,
        web_url=web.web_url,
        user_agent=f"centralbot/{__version__}",
    )
    async with open_people(settings, clock=backend.clock) as side:
        sign_in = side.sign_in if web.oauth else None
        yield assemble(backend, sign_in, side.github, public_url=web.public_url, web_url=web.web_url)


def assemble(
    backend: Backend,
    sign_in: SignIn | None,
    people: PeopleOnGitHub,
    *,
    public_url: str,
    web_url: str,
    kinds: Sequence[Verifier] | None = None,
) -> PeopleSide:
    """The people's side over whatever stands for GitHub; ``kinds`` None are the proofs of :mod:`.verifiers`."""
    store, ids = backend.store, SystemIds()
    if kinds is None:
        kinds = verifiers(derive(backend.secret_key, "proof-of-work"), store.single_use)
    accounts = Accounts(
        sign_in=sign_in,
        people=people,
        sessions=store.sessions,
        single_use=store.single_use,
        seal=Cipher(backend.secret_key, "sign-in"),
        redirect_uri=public_url + CALLBACK_PATH,
        clock=backend.clock,
        ids=ids,
        random_token=lambda: secrets.token_urlsafe(32),
    )
    guard = Guard(accounts, backend.clock, public_url=public_url)
    pages = Pages(public_url=public_url, can_sign_in=accounts.can_sign_in)
    desks = open_desks(
        repositories=store.repositories,
        whitelist=store.whitelist,
        challenges=store.challenges,
        reports=store.reports,
        verdicts=backend.verdicts,
        gate=backend.gate,
        accounts=accounts,
        rights=Rights(accounts, people, backend.clock),
        people=people,
        kinds={kind.kind: kind.summary for kind in kinds},
    )
    keeper = GateKeeper(
        token_key=backend.gate_key,
        challenges=store.challenges,
        repositories=store.repositories,
        verdicts=backend.verdicts,
        verifiers=kinds,
        defaults=backend.gate.defaults,
        clock=backend.clock,
        ids=ids,
    )
    routes = [
        pages.static.route(),
        *sign_in_routes(guard, pages),
        *owner_routes(guard, desks),
        owner_pages(guard, pages, desks, web_url=web_url),
        *gate_routes(guard, pages, keeper, backend.clock),
    ]
    return PeopleSide(routes, pages)
