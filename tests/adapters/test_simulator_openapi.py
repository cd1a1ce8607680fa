"""Every operation of the simulator answers as GitHub's OpenAPI description says."""

from __future__ import annotations

import pytest

from tests.adapters.simulators import Receiver, a_registration, a_simulator, served
from tests.openapi import NotAsDescribed, operations, validate_request, validate_response

LATER = {
    "checks/create",
    "checks/update",
    "repos/create-commit-status",
    "repos/get-content",
}


async def test_every_operation_validates_against_githubs_description() -> None:
    """Drives each operation once; the client checks every answer, so reaching the end is the test."""
    receiver = Receiver()
    simulator = a_simulator()
    async with receiver.listening(), served(simulator) as client:
        simulator.deliverer.configure(url=receiver.url)
        simulator.world.label("octo-org/hello", 1, "gated")
        await simulator.deliverer.idle()
        app, token = client.app_jwt(), await client.token()
        user = simulator.users.issue("owner")
        comments = "/repos/octo-org/hello/issues/1/comments"
        assert (await client.call("POST", comments, token, {"body": "hello"}))[0] == 201
        comment = (await client.call("GET", comments, token))[1][0]["id"]
        delivery = (await client.call("GET", "/app/hook/deliveries", app))[1][0]["id"]
        reading = [
            ("/app", app),
            ("/app/installations", app),
            ("/app/installations/7", app),
            ("/repos/octo-org/hello/installation", app),
            (f"/app/hook/deliveries/{delivery}", app),
            ("/installation/repositories", token),
            ("/rate_limit", token),
            ("/repos/octo-org/hello", token),
            (f"/repos/octo-org/hello/issues/comments/{comment}", token),
            ("/repos/octo-org/hello/issues/1/labels", token),
            ("/repos/octo-org/hello/pulls", token),
            ("/repos/octo-org/hello/pulls/1", token),
            ("/repos/octo-org/hello/collaborators/owner/permission", token),
            ("/users/mona", token),
            ("/user", user),
            ("/user/installations", user),
            ("/user/installations/7/repositories", user),
        ]
        assert [200] * len(reading) == [(await client.call("GET", path, by))[0] for path, by in reading]
        writing = [
            ("POST", f"/app/hook/deliveries/{delivery}/attempts", app, None),
            ("PATCH", f"/repos/octo-org/hello/issues/comments/{comment}", token, {"body": "again"}),
            ("POST", "/repos/octo-org/hello/issues/1/labels", token, {"labels": ["a b/c"]}),
            ("DELETE", "/repos/octo-org/hello/issues/1/labels/a%20b%2Fc", token, None),
            ("PATCH", "/repos/octo-org/hello/pulls/1", token, {"state": "closed"}),
            ("DELETE", f"/repos/octo-org/hello/issues/comments/{comment}", token, None),
        ]
        assert [(await client.call(*one))[0] for one in writing] == [202, 200, 200, 200, 200, 204]
        code = a_registration(simulator)
        assert (await client.call("POST", f"/app-manifests/{code}/conversions"))[0] == 201
        driven = set(simulator.requests.by_operation)
    assert {operation.id for operation in operations()} - LATER == driven


def test_the_checker_refuses_what_github_does_not_describe() -> None:
    """A checker that accepts everything would prove nothing."""
    with pytest.raises(NotAsDescribed, match="state"):
        validate_request("PATCH", "/repos/o/r/pulls/1", None, {"state": "merged"})
    with pytest.raises(NotAsDescribed, match="unknown"):
        validate_request("GET", "/installation/repositories", {"perpage": 100})
    with pytest.raises(NotAsDescribed, match="required"):
        validate_response("GET", "/repos/o/r/pulls/1", 200, {"number": 1})
    assert validate_request("GET", "/repositories/5/pulls", {"per_page": 100, "state": "open"}) == "pulls/list"
