"""Setting centralbot up in a browser, and what the pages say while something is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from playwright.async_api import Browser, Page, expect
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from centralbot.entrypoints.demo.fleet import READY_S, Child, free_port
from github_simulator import Simulator, running
from tests.adapters.simulators import PRIVATE_KEY, SECRET
from tests.e2e.browser.tabs import Tabs
from tests.e2e.browser.visual_checks import flaws

pytestmark = pytest.mark.asyncio(loop_scope="session")
NOTHING: list[str] = []
SECRET_KEY = "k" * 43


@asynccontextmanager
async def alone(browser: Browser, *ours: str) -> AsyncIterator[Tabs]:
    """People who have nothing to do with the fleet; nothing may go wrong for them either."""
    tabs = Tabs(browser=browser, ours=ours)
    try:
        yield tabs
    finally:
        await tabs.close()
    assert tabs.problems == NOTHING


async def looked_at(page: Page, heading: str) -> None:
    """The page is there, and can be used by everybody."""
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    assert await flaws(page, heading) == NOTHING


async def test_an_app_is_registered_in_a_few_clicks(browser: Browser, database: str, tmp_path: Path) -> None:
    """What is wrong in the form is said beside the field; GitHub confirms; the last page says what to run next."""
    simulator = Simulator(webhook_secret=SECRET, private_key_pem=PRIVATE_KEY)
    simulator.world.add_organization("octo-org")
    async with running(simulator) as github:
        environ = {
            "CENTRALBOT_GITHUB_API_URL": github,
            "CENTRALBOT_GITHUB_WEB_URL": github,
            "CENTRALBOT_DATABASE_URL": database,
            "CENTRALBOT_SECRET_KEY": SECRET_KEY,
            "CENTRALBOT_DATA_DIR": str(tmp_path / "data"),
        }
        setup = Child("setup", ("setup", "--no-browser", "--json", "--org", "octo-org"), environ, tmp_path)
        try:
            (line,) = await setup.told(lambda child: child.printed() or None, within_s=READY_S)
            url = line.split('"')[3]
            async with alone(browser, github, url[: url.index("/", 8)]) as tabs:
                page = await tabs.open()
                await page.goto(url)
                await looked_at(page, "Register your GitHub App")
                await page.get_by_label("Webhook address").fill("nowhere")
                await page.get_by_role("button", name="Continue").click()
                await expect(page.get_by_label("Webhook address")).to_have_attribute("aria-invalid", "true")
                await looked_at(page, "Register your GitHub App")
                await page.get_by_label("Webhook address").fill("http://127.0.0.1:3000/webhooks/github")
                await page.get_by_label("Name").fill("Our Gate")
                await page.get_by_role("button", name="Continue").click()
                await looked_at(page, "Continue on GitHub")
                await page.get_by_role("button", name="Create it on").click()
                await page.get_by_role("button", name="Create GitHub App").click()
                await looked_at(page, "Your App is registered")
                await page.get_by_role("link", name="Install it on your repositories").click()
                await expect(page.get_by_role("button", name="Install on octo-org")).to_be_visible()
            assert (await setup.ended(), (tmp_path / "data" / "github-app.env").stat().st_mode & 0o777) == (0, 0o600)
        finally:
            await setup.stop()


@pytest.fixture
def cut_off(postgres_dsn: str) -> Callable[[str], None]:
    """Make a database unreachable, as when its server is gone."""

    def cut(dsn: str) -> None:
        name = str(conninfo_to_dict(dsn)["dbname"])
        with psycopg.connect(postgres_dsn, autocommit=True) as connection:
            connection.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(name)))
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))

    return cut


async def test_without_credentials_or_store_the_pages_say_so(
    browser: Browser, database: str, cut_off: Callable[[str], None], tmp_path: Path
) -> None:
    """Who runs it reads what to set; a contributor reads that nothing is lost."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = {
        "CENTRALBOT_DATABASE_URL": database,
        "CENTRALBOT_SECRET_KEY": SECRET_KEY,
        "CENTRALBOT_DATA_DIR": str(tmp_path / "data"),
        "CENTRALBOT_API_PORT": str(port),
        "CENTRALBOT_PUBLIC_URL": url,
    }
    api = Child("api", ("serve-api",), environ, tmp_path)
    try:
        await api.told(lambda child: child.logged("api.listening"), within_s=READY_S)
        async with alone(browser, url) as tabs:
            page = await tabs.open(may_fail=True)
            await page.goto(f"{url}/")
            await expect(page.get_by_text("CENTRALBOT_GITHUB_CLIENT_ID")).to_be_visible()
            await looked_at(page, "A door in front of your pull requests")
            await page.goto(f"{url}/api/v1/auth/github/start")
            await looked_at(page, "Sign-in is off")
            cut_off(database)
            await page.goto(f"{url}/g/{'A' * 43}")
            await expect(page.get_by_text("verifying late still counts")).to_be_visible()
            await looked_at(page, "We cannot answer right now")
    finally:
        await api.stop()
