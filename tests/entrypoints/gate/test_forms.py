"""The contributor's form: what it sends, what it is refused for, and how."""

from __future__ import annotations

import re

import pytest

from centralbot.domain import verdicts
from centralbot.entrypoints.web.forms import MAX_FORM_BYTES
from tests.entrypoints.gate.test_pages import overruled, title
from tests.entrypoints.gate.world import STRANGER, GateWorld, form, gate_world, link, proofs, token

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def world() -> GateWorld:
    return await gate_world()


async def test_the_form_verifies_and_shows_the_result(world: GateWorld) -> None:
    """POST, 303, GET: a reload repeats nothing."""
    challenge = await world.asked()
    async with world.browser(await world.cookie()) as browser:
        steps = (await browser.get(f"/api/v1/gate/{token(challenge)}")).json()["steps"]
        answer = await browser.post(link(challenge.id), content=form(proofs(steps)), headers=FORM)
        assert (answer.status_code, answer.headers["location"]) == (303, link(challenge.id))
        assert title((await browser.get(link(challenge.id))).text).startswith("Verified")
        again = await browser.post(link(challenge.id), content="", headers=FORM)
        assert again.status_code == 303
    assert await world.status(challenge) == "VERIFIED"


async def test_what_is_missing_is_said_on_top_and_beside_and_the_rest_is_kept(world: GateWorld) -> None:
    """The summary has the focus; a ticked box stays ticked."""
    challenge = await world.asked()
    async with world.browser(await world.cookie()) as browser:
        steps = (await browser.get(f"/api/v1/gate/{token(challenge)}")).json()["steps"]
        given = proofs(steps)
        given["proof-of-work"]["solution"] = ""
        answer = await browser.post(link(challenge.id), content=form(given), headers=FORM)
    assert (answer.status_code, title(answer.text).startswith("Something is missing")) == (400, True)
    assert 'role="alert" tabindex="-1" autofocus' in answer.text
    assert '<a href="#step-proof-of-work">' in answer.text
    assert 'id="error-proof-of-work"' in answer.text
    assert re.search(r'name="attestation.confirmed" value="\w+" required checked', answer.text)
    assert 'id="error-attestation"' not in answer.text


async def test_an_unticked_box_is_marked(world: GateWorld) -> None:
    """For eyes and for screen readers."""
    challenge = await world.asked("attestation")
    async with world.browser(await world.cookie()) as browser:
        answer = await browser.post(link(challenge.id), content="", headers=FORM)
    assert 'aria-invalid="true" aria-describedby="error-attestation"' in answer.text


async def test_a_form_sent_after_the_session_is_over_comes_back_to_the_page(world: GateWorld) -> None:
    """Not to GitHub: our own policy forbids forms that lead away."""
    challenge = await world.asked("github-login")
    async with world.browser() as browser:
        answer = await browser.post(link(challenge.id), content="", headers=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, link(challenge.id))


async def test_a_form_of_another_account_is_refused_with_its_page(world: GateWorld) -> None:
    """403, recorded, and the way to the right account."""
    challenge = await world.asked("github-login")
    async with world.browser(await world.cookie(STRANGER)) as browser:
        answer = await browser.post(link(challenge.id), content="", headers=FORM)
    assert (answer.status_code, "select_account=true" in answer.text) == (403, True)
    assert await world.status(challenge) == "PENDING"
    history = await world.under.store.challenges.history(challenge.id)
    assert history[-1].event == "challenge.refused"


async def test_a_form_for_a_canceled_check_shows_that_it_is_over(world: GateWorld) -> None:
    """409."""
    challenge = await world.asked("github-login")
    cookie = await world.cookie()
    await overruled(world, challenge, verdicts.on_canceled)
    async with world.browser(cookie) as browser:
        answer = await browser.post(link(challenge.id), content="", headers=FORM)
    assert (answer.status_code, "This check is over" in answer.text) == (409, True)


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}]
)
async def test_a_form_of_another_site_is_refused(world: GateWorld, headers: dict[str, str], signed_in: bool) -> None:
    """403 as a page, whoever is signed in."""
    challenge = await world.asked("github-login")
    async with world.browser(await world.cookie() if signed_in else None, headers=headers) as browser:
        answer = await browser.post(link(challenge.id), content="", headers=FORM)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert await world.status(challenge) == "PENDING"


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"x" * (MAX_FORM_BYTES + 1), FORM, 413),
        (b"\xff\xfe", FORM, 400),
        (b"attestation.confirmed=%ff", FORM, 400),
        (b"attestation.confirmed=%00", FORM, 400),
        (b"attestation.confirmed=a&attestation.confirmed=b", FORM, 400),
        (b"nonsense=1", FORM, 400),
        (b"&".join(b"a.%d=1" % i for i in range(2_000)), FORM, 400),
        (b"{}", {"content-type": "application/json"}, 400),
        (b"--x\r\n", {"content-type": "multipart/form-data; boundary=x"}, 400),
        (b"", {}, 400),
    ],
    ids=range(10),
)
async def test_oversized_and_malformed_forms_get_a_page(
    world: GateWorld, content: bytes, headers: dict[str, str], status: int
) -> None:
    """400 or 413, in words, and nothing changed."""
    challenge = await world.asked("github-login")
    async with world.browser(await world.cookie()) as browser:
        answer = await browser.post(link(challenge.id), content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert await world.status(challenge) == "PENDING"
