"""Every page in every state."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.e2e.browser.scenes import OWN, Scene
from tests.e2e.browser.scenes_gate import GATE_SCENES
from tests.e2e.browser.scenes_owner import OWNER_SCENES
from tests.e2e.browser.stage import Stage
from tests.e2e.browser.visual_checks import flaws

pytestmark = pytest.mark.asyncio(loop_scope="session")
NOTHING: list[str] = []


@pytest.mark.parametrize("scene", [pytest.param(scene, id=scene.name) for scene in (*GATE_SCENES, *OWNER_SCENES)])
async def test_each_page_says_where_things_stand_and_can_be_used_by_everybody(stage: Stage, scene: Scene) -> None:
    """In light and dark, with a screen reader, and on a phone."""
    page = await scene.arrive(stage)
    if scene.heading != OWN:
        await expect(page.get_by_role("heading", level=1)).to_have_text(scene.heading)
    for text in scene.says:
        await expect(page.locator("body")).to_contain_text(text, use_inner_text=True)
    assert await flaws(page, scene.name) == NOTHING
