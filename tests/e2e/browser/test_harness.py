"""The browser tests' own promises: what goes wrong in a tab is seen, and no test is left out in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route

from tests.e2e.browser.tabs import Tabs
from tests.e2e.browser.visual_checks import flaws

IN_SESSION = pytest.mark.asyncio(loop_scope="session")
OURS = "http://ours.example"
POLICY = {"content-security-policy": "default-src 'none'; script-src 'nonce-1'"}
TROUBLE = """<!doctype html><title>Trouble</title><link rel="stylesheet" href="http://theirs.example/a.css">
<script>refused</script><script nonce="1">console.error("said"); throw new Error("thrown")</script>"""
UNUSABLE = """<!doctype html><html><title>Unusable</title><body style="background: #fff; color: #ddd">
<main><h1>Hello</h1><input><p style="width: 2000px">wide</p></main></body></html>"""
ONE_TEST = "tests/e2e/browser/test_harness.py::test_what_nobody_could_use_is_a_flaw"


@IN_SESSION
async def test_what_goes_wrong_in_a_tab_is_a_problem(browser: Browser) -> None:
    """What a script says and throws, what the policy refuses, requests to third parties, failures of ours."""
    tabs = Tabs(browser=browser, ours=(OURS,))
    page = await tabs.open()

    async def answer(route: Route) -> None:
        status = 503 if route.request.url.endswith("/away") else 200
        await route.fulfill(status=status, body=TROUBLE, content_type="text/html", headers=POLICY)

    await page.context.route("**/*", answer)
    await page.goto(f"{OURS}/")
    await page.goto("http://theirs.example/")
    await page.goto(f"{OURS}/away")
    await tabs.close()
    problems = "\n".join(tabs.problems)
    for expected in ("said", "thrown", "Content Security Policy", "http://theirs.example/", "/away answered 503"):
        assert expected in problems


@IN_SESSION
async def test_what_nobody_could_use_is_a_flaw(browser: Browser) -> None:
    """Too little contrast, a field without a name, more width than a phone has, no dark."""
    tabs = Tabs(browser=browser, ours=(OURS,))
    page = await tabs.open()
    await page.set_content(UNUSABLE)
    found = "\n".join(await flaws(page, "it"))
    await tabs.close()
    for expected in ("it, light: color-contrast (serious)", "label (critical) at input", "wider than a phone", "dark"):
        assert expected in found


def run_one(**environ: str) -> tuple[int, str]:
    """One browser test in a run of its own: pytest's exit code, and what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CENTRALBOT_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", ONE_TEST],
        env={**kept, **environ},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


def test_without_a_browser_the_run_passes_and_says_loudly_what_is_missing() -> None:
    """The end of the run names how many tests were not run, and what to install."""
    code, printed = run_one(PATH="/nowhere")
    assert code == 0
    assert "NO BROWSER FOUND: 1 browser tests were not run; install chromium" in printed


def test_a_browser_that_was_named_must_work() -> None:
    """CENTRALBOT_TEST_BROWSER is a promise: what does not start fails the run."""
    code, printed = run_one(CENTRALBOT_TEST_BROWSER="/bin/false")
    assert code == 1
    assert "1 error" in printed
