"""A browser as small as can be: cookies, forms and redirects by hand, so that each step can be looked at."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlsplit

import httpx


def query_of(url: str) -> dict[str, str]:
    """The query of an address."""
    return dict(parse_qsl(urlsplit(url).query))


@contextlib.asynccontextmanager
async def a_browser(base: str) -> AsyncIterator[httpx.AsyncClient]:
    """It keeps cookies and follows nothing by itself."""
    async with httpx.AsyncClient(base_url=base, trust_env=False, follow_redirects=False) as client:
        yield client


async def sign_in(browser: httpx.AsyncClient, authorize_url: str, login: str) -> dict[str, str]:
    """Choose ``login`` on the page of GitHub's sign-in. Returns the query with which the browser comes back."""
    answer = await browser.post(authorize_url, data={"login": login})
    assert answer.status_code == 302
    return query_of(answer.headers["location"])
