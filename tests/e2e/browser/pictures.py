"""Photographs of the pages: ``python -m tests.e2e.browser.pictures [--all DIR]``, or ``just pictures``.

Without ``--all`` the two of the README are made anew, each in light and dark; with it every page in every state, for a
desktop and for a phone, in light and dark, into DIR. A fleet of its own runs meanwhile and leaves nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from playwright.async_api import Page

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.entrypoints.demo.fleet import Fleet
from tests.e2e.browser.chromium import NO_BROWSER, find_browser, launched
from tests.e2e.browser.scenes_gate import GATE_SCENES
from tests.e2e.browser.scenes_owner import OWNER_SCENES
from tests.e2e.browser.stage import Stage
from tests.e2e.browser.tabs import DESKTOP, PHONE, Tabs
from tests.e2e.fleets import a_secret, backend_of
from tests.e2e.world import World

FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd"><fontconfig>
<include>/etc/fonts/fonts.conf</include><match target="pattern"><edit name="family" mode="prepend" binding="strong">
<string>Liberation Sans</string></edit></match></fontconfig>"""
"""A machine without a desktop has no font of its own for system-ui; this one looks like most people's."""
PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
SETTINGS = {"CENTRALBOT_WRITE_INTERVAL_S": "0", "CENTRALBOT_DEFAULT_MODE": "enforce"}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SIZES = {"desktop": DESKTOP, "phone": PHONE}
ORGS, REPOSITORY = ("lantern-labs", "aurora-tools"), "aurora"
AUTHOR, MAINTAINER = "nora-lind", "ines"
NEWCOMERS = (
    "kofi-a", "mtanaka", "lea-schmidt", "priya-dev", "jonas-w", "amelie-r", "tomek", "sofia-m", "dvd-lee", "hana-k",
    "omar-s", "ruth-b", "pavel-n", "zoe-c",
)  # fmt: skip
MERGED_LATER = 2


@asynccontextmanager
async def running_stage(browser_path: str, *orgs: str) -> AsyncIterator[Stage]:
    """A fleet and a browser, with nobody there yet."""
    place, logs, fonts = make_place()
    store = {"CENTRALBOT_DATA_DIR": str(place / "data"), "CENTRALBOT_SECRET_KEY": a_secret()}
    fleet = Fleet(directory=logs, store=store, settings=SETTINGS, key=("pictures", a_secret()))
    try:
        async with backend_of(fleet) as backend:
            try:
                await fleet.start()
                world = World(fleet=fleet, backend=backend)
                world.orgs = iter((*orgs, *(f"{orgs[0]}-{number}" for number in range(2, 1000))))
                async with launched(browser_path, FONTCONFIG_FILE=str(fonts)) as browser:
                    stage = Stage(world=world, tabs=Tabs(browser=browser, ours=(fleet.api_url, world.github.url)))
                    yield stage
                    await stage.close()
            finally:
                await fleet.stop()
    finally:
        remove_place(place)


def make_place() -> tuple[Path, Path, Path]:
    """A temporary directory that the embedded server's account can pass through, its logs', and a list of fonts."""
    place = Path(tempfile.mkdtemp(prefix="centralbot-pictures-"))
    place.chmod(0o711)
    (logs := place / "logs").mkdir(mode=0o700)
    (fonts := place / "fonts.conf").write_text(FONTS)
    return place, logs, fonts


def remove_place(place: Path) -> None:
    for elsewhere in place.glob("data/postgresql.location"):
        shutil.rmtree(elsewhere.read_text().strip(), ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)


async def for_readme(stage: Stage, directory: Path) -> None:
    """``contributor.png`` and ``owner.png``, with a dark one of each."""
    await photograph_pair(await owner(stage), directory / "owner")
    await photograph_pair(await contributor(stage), directory / "contributor")


async def contributor(stage: Stage) -> Page:
    """A pull request that waits, before its author signs in."""
    installed = await stage.repository(
        fresh=True, names=(REPOSITORY,), window_s=1800, verification=("github-login", "proof-of-work")
    )
    _, link = await stage.asked(installed, AUTHOR)
    return await stage.page(link, device_scale_factor=2, viewport={"width": 720, "height": 800})


async def owner(stage: Stage) -> Page:
    """A week of shadow mode: newcomers who would have been closed, two of whom were merged later."""
    world = stage.world
    installed = await stage.repository(
        fresh=True, names=("lantern", "lantern-docs", "lantern-cli"), mode=Mode.SHADOW, window_s=1
    )
    repository = installed.repository
    await world.github.act("set_collaborator", repository=repository, login=MAINTAINER, role="maintain")
    await world.github.act("add_user", login="dependabot[bot]", type="Bot")
    numbers = []
    for place, login in enumerate(NEWCOMERS):
        numbers.append(await world.open(repository, login))
        if place % 3 == 0:
            await world.open(repository, ("owner", "dependabot[bot]", MAINTAINER)[place // 3 % 3])
    for number in numbers:
        await world.becomes(installed.repo_id, number, ChallengeStatus.TIMED_OUT_CLOSED)
    for number in numbers[2 : 2 + MERGED_LATER]:
        await world.github.act("merge", repository=repository, number=number)
    await world.fleet.until("the merges' deliveries", world.github.is_idle)
    url = f"{stage.api}/repos/{installed.repo_id}"
    return await stage.page(url, MAINTAINER, device_scale_factor=2, viewport={"width": 980, "height": 720})


async def photograph_pair(page: Page, path: Path) -> None:
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await page.screenshot(path=path.with_name(f"{path.name}{'-dark' if scheme == 'dark' else ''}.png"))


async def everything(stage: Stage, directory: Path) -> int:
    """Every scene in every light and size. Returns how many of them failed."""
    failed = 0
    for side, scenes in (("gate", GATE_SCENES), ("owner", OWNER_SCENES)):
        for scene in scenes:
            try:
                page = await scene.arrive(stage)
                await page.wait_for_load_state()
            except Exception as exc:
                failed += 1
                print(f"{scene.name}: {exc}", file=sys.stderr)
                continue
            for size, viewport in SIZES.items():
                await page.set_viewport_size(viewport)
                for scheme in SCHEMES:
                    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                    name = f"{side}-{scene.name}-{size}-{scheme}.png"
                    await page.screenshot(path=directory / name, full_page=True)
            await stage.world.github.clear_faults()
            await stage.close()
    return failed


async def main() -> int:
    """Make the pictures; the exit code."""
    parser = argparse.ArgumentParser(description="Photograph the pages.")
    parser.add_argument("--all", metavar="DIR", type=Path, help="every page in every state, into this directory")
    chosen = parser.parse_args()
    browser = find_browser()
    if browser is None:
        print(f"{NO_BROWSER}: install chromium, or name one in CENTRALBOT_TEST_BROWSER", file=sys.stderr)
        return 1
    async with running_stage(browser, *ORGS) as stage:
        if chosen.all is not None:
            return 1 if await everything(stage, chosen.all) else 0
        await for_readme(stage, PICTURES)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
