"""A secret key that is not the store's: whoever would write links with it refuses, and says which setting is wrong."""

from __future__ import annotations

import httpx
import pytest

from tests.entrypoints.commands import Cli
from tests.entrypoints.test_cli_serve import WORKER

OTHER = {"CENTRALBOT_SECRET_KEY": "not-the-secret-key-of-this-store"}
GITHUB = {**WORKER, "CENTRALBOT_PUBLIC_URL": "https://gate.example.org"}


@pytest.fixture
def keyed(cli: Cli) -> Cli:
    """A store with an active service key."""
    assert cli("keys", "create", "--key-id", "old").code == 0
    return cli


def test_an_api_with_another_key_says_so_and_is_not_ready(keyed: Cli) -> None:
    """One error at the start; the reason at ``/readyz``, which a worker passes on."""
    with keyed.started("serve-api", CENTRALBOT_API_PORT="0", **OTHER) as api:
        answer = httpx.get(f"{api.log('api.listening')['url']}/readyz")
        result = api.stop()
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["checks"]["secret_key"].startswith("CENTRALBOT_SECRET_KEY is not the one ")
    assert [line for line in result.err.splitlines() if '"level":"error"' in line] == [
        line for line in result.err.splitlines() if "CENTRALBOT_SECRET_KEY" in line
    ]
    assert (result.code, result.err.count("CENTRALBOT_SECRET_KEY is not the one ")) == (0, 1)


def test_an_api_with_the_right_key_is_ready(keyed: Cli) -> None:
    """And says that it looked."""
    with keyed.started("serve-api", CENTRALBOT_API_PORT="0") as api:
        answer = httpx.get(f"{api.log('api.listening')['url']}/readyz")
    assert (answer.status_code, answer.json()["checks"]["secret_key"]) == (200, "opens the service keys")


@pytest.mark.parametrize(
    "arguments",
    ["sweep", "sweep --watch", "sync", "keys create", "setup --no-browser", "challenges list", "actions list"],
)
def test_a_command_with_another_key_refuses(keyed: Cli, arguments: str) -> None:
    """In one line, before it writes anything; ``serve-api`` does not know the links that it would make."""
    result = keyed(*arguments.split(), **GITHUB, **OTHER)
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert result.err.startswith("error: CENTRALBOT_SECRET_KEY is not the one ")
    assert len(keyed("keys", "list", "--json").json) == 1


def test_a_sweeper_stops_its_work_once_the_key_is_another(keyed: Cli) -> None:
    """Of a rotation that left it out it hears by the keys: the old ones are revoked, the new ones are not its own."""
    with keyed.started("sweep", "--watch", "--interval-s", "0.1", "--json") as sweeper:
        assert sweeper.process.stdout is not None
        sweeper.process.stdout.readline()
        keyed("keys", "revoke", "old")
        keyed("keys", "create", **OTHER)
        failed = sweeper.log("sweep.failed")
    assert failed["error"].startswith("CENTRALBOT_SECRET_KEY is not the one ")


def test_a_key_is_rotated_by_revoking_first(keyed: Cli) -> None:
    """The old service keys are listed and revoked under the new secret key, which then makes its own."""
    before = keyed("keys", "list", "--json", **OTHER)
    assert (before.code, [(key["key_id"], key["readable"]) for key in before.json]) == (1, [("old", False)])
    assert "CENTRALBOT_SECRET_KEY is not the one " in before.err
    assert keyed("keys", "revoke", "old", **OTHER).code == 0
    assert keyed("keys", "create", "--key-id", "new", **OTHER).code == 0
    after = keyed("keys", "list", "--json", **OTHER)
    assert (after.code, [(key["key_id"], key["readable"]) for key in after.json]) == (
        0,
        [("old", False), ("new", True)],
    )
    assert keyed("sweep", **OTHER).code == 0
