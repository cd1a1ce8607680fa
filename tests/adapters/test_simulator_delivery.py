"""Webhooks are sent as GitHub sends them."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from tests.adapters.simulators import SECRET, Receiver, a_simulator, served

PAYLOADS = Path(__file__).parent.parent / "data" / "payloads"


async def test_every_act_sends_its_event_signed() -> None:
    """In order when nothing is in parallel, each with both signatures and GitHub's headers."""
    receiver, simulator = Receiver(), a_simulator()
    simulator.deliverer.max_in_flight = 1
    async with receiver.listening(), served(simulator):
        simulator.deliverer.configure(url=receiver.url)
        world = simulator.world
        number = world.open_pull_request("octo-org/hello", "mona", draft=True)
        world.ready_for_review("octo-org/hello", number)
        world.push("octo-org/hello", number)
        world.label("octo-org/hello", number, "x")
        world.close_pull_request("octo-org/hello", number, by="owner")
        world.reopen("octo-org/hello", number)
        world.merge("octo-org/hello", number)
        world.rename_repository("octo-org/hello", "bye")
        world.add_repositories(7, ["third"])
        world.remove_repositories(7, ["octo-org/third"])
        world.open_pull_request("octo-org/third", "mona")
        world.suspend(7)
        world.open_pull_request("octo-org/bye", "mona")
        world.unsuspend(7)
        world.uninstall(7)
        await simulator.deliverer.idle()
    pull = [f"pull_request.{action}" for action in ("opened", "ready_for_review", "synchronize", "labeled")]
    pull += [f"pull_request.{action}" for action in ("closed", "reopened", "closed")]
    changes = ["repository.renamed", "installation_repositories.added", "installation_repositories.removed"]
    lifecycle = ["installation.suspend", "installation.unsuspend", "installation.deleted"]
    assert [*pull, *changes, *lifecycle] == receiver.events
    for headers, body in receiver.got:
        assert f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}" == headers["X-Hub-Signature-256"]
        assert headers["User-Agent"].startswith("GitHub-Hookshot/")
        assert headers["X-GitHub-Hook-Installation-Target-Type"] == "integration"
        assert b'": ' not in body[:200]


async def test_payloads_have_the_fields_of_githubs_own_examples() -> None:
    """Nothing that a real delivery carries is missing at the top, in the pull request or in the repository."""
    receiver, simulator = Receiver(), a_simulator()
    async with receiver.listening(), served(simulator):
        simulator.deliverer.configure(url=receiver.url)
        simulator.world.open_pull_request("octo-org/hello", "mona")
        simulator.world.rename_repository("octo-org/hello", "bye")
        simulator.world.remove_repositories(7, ["octo-org/world"])
        simulator.world.install("elsewhere", selection="all")
        simulator.world.transfer_repository("octo-org/bye", "elsewhere")
        simulator.world.suspend(7)
        simulator.world.uninstall(7)
        await simulator.deliverer.idle()
    missing = {}
    for headers, body in receiver.got:
        ours = json.loads(body)
        example = PAYLOADS / f"{headers['X-GitHub-Event']}.{ours['action']}.json"
        theirs = json.loads(example.read_text("utf-8"))
        gaps = set(theirs) - set(ours)
        for part in ("pull_request", "repository", "installation", "sender"):
            gaps |= {f"{part}.{name}" for name in set(theirs.get(part, {})) - set(ours.get(part, {}))}
        missing[example.name] = gaps
    assert [gaps for gaps in missing.values() if gaps] == []
    assert len(missing) == 8


async def test_a_failed_delivery_is_recorded_and_sent_again_under_its_guid() -> None:
    """GitHub does not retry by itself."""
    receiver, simulator = Receiver(), a_simulator()
    receiver.status = 503
    async with receiver.listening(), served(simulator) as client:
        simulator.deliverer.configure(url=receiver.url)
        simulator.world.push("octo-org/hello", 1)
        await simulator.deliverer.idle()
        app = client.app_jwt()
        (failed,) = (await client.call("GET", "/app/hook/deliveries?status=failure", app))[1]
        receiver.status = 200
        await client.call("POST", f"/app/hook/deliveries/{failed['id']}/attempts", app)
        await simulator.deliverer.idle()
        first_page = (await client.call("GET", "/app/hook/deliveries?per_page=1", app))[1]
        path = client.headers["link"].partition(">")[0][1:].removeprefix(client.base)
        second_page = (await client.call("GET", path, app))[1]
    assert [(200, True, failed["guid"]), (503, False, failed["guid"])] == [
        (one["status_code"], one["redelivery"], one["guid"]) for one in first_page + second_page
    ]
    assert len({headers["X-GitHub-Delivery"] for headers, _ in receiver.got}) == 1


async def test_what_does_not_answer_is_recorded_without_a_code() -> None:
    """Neither a refused connection nor a time-out is among ``status=failure``."""
    simulator = a_simulator()
    async with served(simulator) as client:
        simulator.deliverer.configure(url="http://127.0.0.1:9/")
        simulator.world.push("octo-org/hello", 1)
        await simulator.deliverer.idle()
        (one,) = (await client.call("GET", "/app/hook/deliveries", client.app_jwt()))[1]
        failures = (await client.call("GET", "/app/hook/deliveries?status=failure", client.app_jwt()))[1]
    assert (one["status_code"], one["status"], failures) == (0, "failed to connect to host", [])


async def test_deliveries_can_be_held_doubled_and_reordered() -> None:
    """One event keeps one GUID however often it comes."""
    receiver, simulator = Receiver(), a_simulator()
    simulator.deliverer.max_in_flight = 1
    async with receiver.listening(), served(simulator):
        simulator.deliverer.pause()
        simulator.deliverer.configure(url=receiver.url, copies=2)
        simulator.world.push("octo-org/hello", 1)
        simulator.world.close_pull_request("octo-org/hello", 1)
        held = len(receiver.got)
        simulator.deliverer.reverse()
        simulator.deliverer.resume()
        await simulator.deliverer.idle()
    assert (held, receiver.events) == (0, ["pull_request.closed"] * 2 + ["pull_request.synchronize"] * 2)
    assert len({headers["X-GitHub-Delivery"] for headers, _ in receiver.got}) == 2


async def test_switching_to_selected_repositories_names_none_as_removed() -> None:
    """So only a full listing tells what is left."""
    receiver, simulator = Receiver(), a_simulator()
    async with receiver.listening(), served(simulator):
        simulator.world.select_all_repositories(7)
        simulator.deliverer.configure(url=receiver.url)
        simulator.world.select_repositories(7, ["octo-org/world"])
        await simulator.deliverer.idle()
    payload = json.loads(receiver.got[0][1])
    assert (
        payload["action"],
        payload["repository_selection"],
        payload["repositories_removed"],
    ) == ("removed", "selected", [])
