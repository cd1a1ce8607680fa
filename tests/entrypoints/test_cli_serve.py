"""The processes that run on: both servers, the watching sweeper, and what they say when they cannot start."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.adapters.simulators import PRIVATE_KEY
from tests.entrypoints.commands import Cli

ROOT = Path(__file__).parents[2]
PAYLOAD = ROOT / "tests/data/payloads/pull_request.opened.json"
WORKER = {
    "CENTRALBOT_WORKER_PORT": "0",
    "CENTRALBOT_BACKEND_URL": "http://127.0.0.1:9",
    "CENTRALBOT_BOT_KEY_ID": "bot-1",
    "CENTRALBOT_BOT_SECRET": "bot-secret",
    "CENTRALBOT_GITHUB_WEBHOOK_SECRET": "hook,old-hook",
    "CENTRALBOT_GITHUB_APP_ID": "1",
    "CENTRALBOT_GITHUB_APP_PRIVATE_KEY": PRIVATE_KEY,
    "CENTRALBOT_GITHUB_API_URL": "http://127.0.0.1:9",
}


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_the_api_serves_until_it_is_stopped(cli: Cli, name: signal.Signals) -> None:
    """Nothing on stdout, one JSON event a line on stderr, exit code 0."""
    with cli.started("serve-api", CENTRALBOT_API_PORT="0") as api:
        url = api.log("api.listening")["url"]
        assert httpx.get(f"{url}/readyz").status_code == 200
        result = api.stop(name)
    assert (result.code, result.out) == (0, "")
    assert [json.loads(line)["event"] for line in result.err.splitlines()] == ["api.listening", "api.stopped"]


def test_the_worker_serves_until_it_is_stopped(bare_cli: Cli) -> None:
    """Alive without a backend; not ready."""
    with bare_cli.started("serve-worker", **WORKER) as worker:
        url = worker.log("worker.listening")["url"]
        assert httpx.get(f"{url}/healthz").status_code == 200
        result = worker.stop()
    assert (result.code, result.out) == (0, "")


def test_a_worker_whose_key_is_refused_is_not_ready_until_it_is_not(cli: Cli) -> None:
    """It names the settings, also where the backend was away before."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    settings = WORKER | {"CENTRALBOT_BACKEND_URL": f"http://127.0.0.1:{port}"}
    with cli.started("serve-worker", **settings) as worker:
        ready = f"{worker.log('worker.listening')['url']}/readyz"
        assert worker.log("claim.failed")["code"] == "UNAVAILABLE"
        with cli.started("serve-api", CENTRALBOT_API_PORT=port) as api:
            api.log("api.listening")
            worker.log("claim.failed", code="FORBIDDEN")
            refused = until(ready, lambda backend: "CENTRALBOT_BOT_KEY_ID" in backend)
            cli("keys", "create", "--key-id", "bot-1", "--secret", "bot-secret")
            worker.log("claim.recovered")
            until(ready, lambda backend: backend.endswith(" is ready"))
    assert refused == 503


def until(url: str, seen: Callable[[str], bool]) -> int:
    """Ask until the backend's line is as wanted; the status then."""
    for _ in range(600):
        answer = httpx.get(url)
        if seen(answer.json()["checks"]["backend"]):
            return answer.status_code
        time.sleep(0.1)
    raise AssertionError(answer.text)


@pytest.mark.parametrize(
    ("command", "chosen_by"),
    [
        ("serve-api", "CENTRALBOT_API_HOST or CENTRALBOT_API_PORT"),
        ("serve-worker", "CENTRALBOT_WORKER_HOST or CENTRALBOT_WORKER_PORT"),
        ("simulator --port {port}", "--port"),
        ("setup --no-browser --port {port}", "--port"),
    ],
)
def test_a_taken_port_is_one_line(cli: Cli, command: str, chosen_by: str) -> None:
    """That names the address and what to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        settings = WORKER | {"CENTRALBOT_API_PORT": port, "CENTRALBOT_WORKER_PORT": port}
        result = cli(*command.format(port=port).split(), **settings, CENTRALBOT_DATA_DIR=str(cli.directory))
    expected = f"error: cannot listen on 127.0.0.1:{port}: Address already in use; choose another {chosen_by}\n"
    assert (result.code, result.out, result.err) == (1, "", expected)


def test_a_watching_sweeper_passes_until_it_is_stopped(cli: Cli) -> None:
    """One JSON object a pass."""
    with cli.started("sweep", "--watch", "--interval-s", "0.1", "--json") as sweeper:
        assert sweeper.process.stdout is not None
        passes = [json.loads(sweeper.process.stdout.readline()) for _ in range(3)]
        result = sweeper.stop()
    assert [one["timed_out"] for one in passes] == [0, 0, 0]
    assert (result.code, result.err) == (0, "")


def test_a_watching_sweeper_stops_in_mid_wait(cli: Cli) -> None:
    """However long it would wait."""
    with cli.started("sweep", "--watch", "--interval-s", "3600") as sweeper:
        assert sweeper.process.stdout is not None
        sweeper.process.stdout.readline()
        assert sweeper.stop(signal.SIGINT).code == 0


def test_a_watching_sweeper_survives_an_outage(cli: Cli, postgres_dsn: str) -> None:
    """It says so and goes on with the next pass."""
    name = psycopg.conninfo.conninfo_to_dict(cli.settings["CENTRALBOT_DATABASE_URL"])["dbname"]
    with (
        psycopg.connect(postgres_dsn, autocommit=True) as admin,
        cli.started("sweep", "--watch", "--interval-s", "0.1", "--json") as sweeper,
    ):
        assert sweeper.process.stdout is not None
        sweeper.process.stdout.readline()
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        failed = sweeper.log("sweep.failed")
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
        swept_after = json.loads(sweeper.process.stdout.readlines(1)[-1])
        result = sweeper.stop()
    assert (failed["level"], swept_after["timed_out"], result.code) == ("warning", 0, 0)


def test_a_payload_is_replayed_to_a_running_worker(cli: Cli) -> None:
    """Signed with the first secret; forwarded to the backend; a repetition of the delivery is a duplicate."""
    key = cli("keys", "create", "--json").json
    with cli.started("serve-api", CENTRALBOT_API_PORT="0") as api:
        settings = WORKER | {
            "CENTRALBOT_BACKEND_URL": api.log("api.listening")["url"],
            "CENTRALBOT_BOT_KEY_ID": key["key_id"],
            "CENTRALBOT_BOT_SECRET": key["secret"],
        }
        with cli.started("serve-worker", **settings) as worker:
            url = worker.log("worker.listening")["url"]
            arguments = ("replay", PAYLOAD, "--event", "pull_request", "--url", url, "--delivery-id", "d-1", "--json")
            first, again = cli(*arguments, **settings), cli(*arguments, **settings)
            other = cli("replay", PAYLOAD, "--event", "star", "--url", f"{url}/webhooks/github", **settings)
            forged = cli(*arguments, **settings | {"CENTRALBOT_GITHUB_WEBHOOK_SECRET": "wrong"})
            by_port = cli(
                "replay", PAYLOAD, "--event", "star", **settings | {"CENTRALBOT_WORKER_PORT": url.rsplit(":", 1)[1]}
            )
    assert [(result.code, result.json["status"]) for result in (first, again, forged)] == [(0, 200), (0, 200), (1, 401)]
    statuses = [json.loads(result.json["answer"])["ingest_status"] for result in (first, again)]
    assert statuses == ["IGNORED", "DUPLICATE"]
    assert (other.code, other.out) == (0, '202 {"status":"ignored"}\n')
    assert by_port.code == 0


def test_a_replay_without_a_worker_or_a_secret_says_so(bare_cli: Cli) -> None:
    """One line each."""
    arguments = ("replay", PAYLOAD, "--event", "pull_request", "--url", "http://127.0.0.1:9")
    nobody = bare_cli(*arguments, CENTRALBOT_GITHUB_WEBHOOK_SECRET="hook")
    unsigned = bare_cli(*arguments)
    assert (nobody.code, nobody.out, nobody.err.count("\n")) == (1, "", 1)
    assert (unsigned.code, unsigned.err.startswith("error: CENTRALBOT_GITHUB_WEBHOOK_SECRET: ")) == (2, True)
