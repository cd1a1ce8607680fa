"""The control API and the pages."""

from __future__ import annotations

from tests.adapters.simulators import a_simulator, served


async def test_the_world_can_be_changed_and_read_from_another_process() -> None:
    """Acts take keyword arguments; the snapshot and the log show what came of them."""
    async with served(a_simulator()) as client:
        opened = await client.call(
            "POST", "/_simulator/open_pull_request", body={"repository": "octo-org/world", "author": "mia"}
        )
        fault = {"kind": "status", "operation": "pulls/get", "status": 500, "count": 1}
        assert (await client.call("POST", "/_simulator/faults", body=fault))[0] == 201
        token = await client.token()
        statuses = [(await client.call("GET", "/repos/octo-org/world/pulls/1", token))[0] for _ in range(2)]
        _, snapshot = await client.call("GET", "/_simulator/snapshot")
        _, log = await client.call("GET", "/_simulator/requests?operation=pulls/get&installation_id=7")
    assert (opened, statuses) == ((200, {"result": 1}), [500, 200])
    assert [one["repository"] for one in snapshot["pull_requests"]] == ["octo-org/hello", "octo-org/world"]
    assert [one["status"] for one in log["requests"]] == [500, 200]


async def test_the_acts_are_listed() -> None:
    """With what each takes and does, so that nobody has to read the code."""
    async with served(a_simulator()) as client:
        status, listed = await client.call("GET", "/_simulator/")
    does = "Give somebody ``read``, ``triage``, ``write``, ``maintain`` or ``admin``."
    assert (status, listed["acts"]["set_collaborator"]["does"]) == (200, does)
    assert all(name in listed["acts"]["open_pull_request"]["takes"] for name in ("repository", "author", "draft"))


async def test_wrong_control_requests_are_told_what_is_wrong() -> None:
    """Unknown acts and things, wrong arguments, and anything that a web page could send unasked."""
    async with served(a_simulator()) as client:
        statuses = [
            (await client.call("POST", f"/_simulator/{name}", body=body))[0]
            for name, body in [
                ("nonsense", {}),
                ("uninstall", {"installation_id": 99}),
                ("uninstall", {"wrong": 1}),
                ("faults", {"kind": "nonsense"}),
                ("faults", {"kind": "drop", "operatoin": "*"}),
            ]
        ]
        async with client.session.post(f"{client.base}/_simulator/uninstall", data=b"{}") as answer:
            statuses.append(answer.status)
    assert statuses == [404, 404, 400, 400, 400, 415]


async def test_the_pages_escape_everything() -> None:
    """A title, a login or a comment is text, whatever it holds."""
    simulator = a_simulator()
    number = simulator.world.open_pull_request("octo-org/hello", "mona", title="<script>alert(1)</script>")
    simulator.world.add_comment("octo-org/hello", number, "mona", "<img src=x onerror=alert(1)> {{ 7*7 }}")
    async with served(simulator) as client:
        pages = []
        for path in ("/", "/octo-org/hello", f"/octo-org/hello/pull/{number}", "/simulator.css"):
            async with client.session.get(client.base + path) as answer:
                assert answer.status == 200
                assert "default-src 'none'" in answer.headers["content-security-policy"]
                pages.append(await answer.text())
        async with client.session.get(f"{client.base}/octo-org/none/pull/1") as answer:
            assert answer.status == 404
    assert not any("<script>alert" in page or "<img" in page for page in pages)
    assert "&lt;img src=x onerror=alert(1)&gt; {{ 7*7 }}" in pages[2]
