"""A contributor's browser without a screen: follows the comment's link, signs in, lets its computer work, verifies."""

from __future__ import annotations

import asyncio
import re
from types import TracebackType
from urllib.parse import urlsplit

import altcha
import httpx

from centralbot.domain.config import VerificationKind
from centralbot.entrypoints.demo.fleet import DemoError, Json

_LINK = re.compile(r"\((https?://[^\s)]+/g/[A-Za-z0-9_-]+)\)")


def gate_link(pull: Json) -> str:
    """The link in the bot's comment. Raises DemoError where there is none."""
    for comment in pull["comments"]:
        if comment["via_app"] and (found := _LINK.search(str(comment["body"]))):
            return found[1]
    raise DemoError(f"no comment of the bot on {pull['repository']}#{pull['number']} has a link")


class Visitor:
    """One person with one browser: the endpoints, forms and cookies are those that a real one uses."""

    def __init__(self, login: str) -> None:
        self._login = login
        self._browser = httpx.AsyncClient(follow_redirects=True, timeout=30, trust_env=False)

    async def __aenter__(self) -> Visitor:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._browser.aclose()

    async def pass_gate(self, link: str) -> str:
        """Do all that the page behind ``link`` asks; the challenge's status afterwards. Raises DemoError."""
        parts = urlsplit(link)
        origin, token = f"{parts.scheme}://{parts.netloc}", parts.path.removeprefix("/g/")
        await self._page(link)
        await self._sign_in(f"{origin}/api/v1/auth/github/start?return_to=/g/{token}")
        gate = f"{origin}/api/v1/gate/{token}"
        asked: Json = _good(await self._browser.get(gate)).json()
        proofs = {step["kind"]: await _proof(step) for step in asked["steps"]}
        answer = await self._browser.post(f"{gate}/verify", json={"proofs": proofs}, headers={"origin": origin})
        return str(_good(answer).json()["status"])

    async def _page(self, url: str) -> None:
        if "text/html" not in _good(await self._browser.get(url)).headers.get("content-type", ""):
            raise DemoError(f"{url} is not a page")

    async def _sign_in(self, start: str) -> None:
        choice = _good(await self._browser.get(start))
        if choice.url.path.endswith("/login/oauth/authorize"):
            form = {"login": self._login}
            _good(await self._browser.post(choice.url, data=form, headers={"origin": _origin(choice.url)}))


async def _proof(step: Json) -> dict[str, str]:
    """What a person, or their device, answers to one step."""
    given = {field["name"]: str(field["value"]) for field in step["fields"]}
    if step["kind"] == VerificationKind.PROOF_OF_WORK:
        task = altcha.Challenge.from_dict(step["parameters"]["task"])
        solution = await asyncio.to_thread(altcha.solve_challenge, task)
        if solution is None:
            raise DemoError("the proof of work was not solved in time; is this machine very busy?")
        given["solution"] = altcha.Payload(task, solution).to_base64()
    return given


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _good(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        raise DemoError(f"{answer.request.method} {answer.url.path} answered {answer.status_code}")
    return answer
