"""What every page of the owner's has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar import Response

from centralbot.domain.errors import Unauthenticated, ValidationError
from centralbot.domain.trace import sentence, who
from centralbot.entrypoints.web.errors import remember
from centralbot.entrypoints.web.guard import AnyRequest, Guard
from centralbot.entrypoints.web.owner_words import FLASHES, STATUS, outcome, standing
from centralbot.entrypoints.web.render import Flash, Pages
from centralbot.ports.driving.accounts import Caller
from centralbot.ports.driving.desks import Desks


@dataclass(frozen=True, slots=True)
class Frame:
    """Who calls, and a page for them. ``web_url`` is GitHub's."""

    guard: Guard
    pages: Pages
    desks: Desks
    web_url: str

    async def find(self, request: AnyRequest) -> Caller | None:
        """Who calls, None for nobody."""
        caller = await self.guard.find(request)
        remember(request, caller)
        return caller

    async def enter(self, request: AnyRequest) -> Caller:
        """Who calls. Raises Unauthenticated, and Forbidden for a form of another site."""
        caller = await self.find(request)
        if caller is None:
            raise Unauthenticated("sign in first")
        return caller

    def page(
        self,
        request: AnyRequest,
        template: str,
        caller: Caller | None,
        *,
        status: int = 200,
        flash: Flash | None = None,
        **context: Any,
    ) -> Response[str]:
        """A page; ``?done=`` names what was just done, for a message of ours."""
        path = request.url.path
        if flash is None and request.method == "GET":
            flash = FLASHES.get(str(request.query_params.get("done", "")))
        return self.pages.page(
            template,
            here=path,
            caller=caller,
            flash=flash,
            status=status,
            web_url=self.web_url,
            status_words=STATUS,
            standing=standing,
            outcome=outcome,
            who=who,
            sentence=sentence,
            **context,
        )

    def asked(self, request: AnyRequest, name: str) -> str | None:
        """A value of the query. Raises ValidationError for one given twice."""
        found = request.query_params.getall(name, [])
        if len(found) > 1:
            raise ValidationError(f"{name}: given more than once")
        return str(found[0]) if found else None
