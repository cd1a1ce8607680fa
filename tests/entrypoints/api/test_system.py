"""What surrounds the endpoints: unknown paths, health, metrics, the description, a store that goes away."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from jsonschema import Draft202012Validator

from centralbot.adapters import embedded_postgres
from tests.entrypoints.api.caller import CLAIM, INSTALLATION, PULL_REQUEST, Caller, opened
from tests.entrypoints.api.serving import Api, serving

UNKNOWN = (
    *("/internal/v1/github/events/pull-request", "/internal/v1/bot-actions/claim", "/internal/v1/deadline-check"),
    *("/internal/v2/bot-clients", "/internal/v2/deadline-check", "/internal/v2/bot-actions", "/internal/v2", "/nope"),
    *("/internal/v2/bot-actions/x/y/result", "/internal/v2/bot-actions/x", "/internal/v2/bot-actions//result"),
    *("/internal/v2/github/events/other", "/api/v2/x", "/%00", "/internal/v2/bot-actions/claim/more"),
)


async def test_unknown_paths_are_404_in_the_envelope(api: Api) -> None:
    """Whatever the method."""
    answers = {
        (method, path): await api.bot.get(path, method) for path in UNKNOWN for method in ("GET", "POST", "DELETE")
    }
    expected = dict.fromkeys(answers, (404, "NOT_FOUND"))
    assert {at: (answer.status, answer.code) for at, answer in answers.items()} == expected


async def test_a_wrong_method_is_405_in_the_envelope(api: Api) -> None:
    """It says which one is right."""
    result = f"/internal/v2/bot-actions/{uuid4()}/result"
    wrong = {path: await api.bot.get(path) for path in (PULL_REQUEST, INSTALLATION, CLAIM, result)}
    assert {path: answer.headers.get("allow") for path, answer in wrong.items()} == dict.fromkeys(wrong, "POST")
    wrong |= {path: await api.bot.get(path, "POST") for path in ("/healthz", "/readyz", "/metrics", "/schema")}
    expected = dict.fromkeys(wrong, (405, "METHOD_NOT_ALLOWED"))
    assert {path: (answer.status, answer.code) for path, answer in wrong.items()} == expected


async def test_it_is_alive_and_ready(api: Api) -> None:
    """And says what the store is."""
    alive, ready = await api.bot.get("/healthz"), await api.bot.get("/readyz")
    assert (alive.status, ready.status, ready.body["status"]) == (200, 200, "ready")
    assert "PostgreSQL" in ready.body["checks"]["store"]


async def test_head_is_get_without_its_body(api: Api) -> None:
    """As probes of uptime and checkers of links ask."""
    for path in ("/healthz", "/readyz", "/metrics", "/schema"):
        asked, got = await api.bot.get(path, "HEAD"), await api.bot.get(path)
        assert (asked.status, asked.body or "") == (200, "")
        assert asked.headers["content-type"] == got.headers["content-type"]
    assert (await api.bot.get(CLAIM, "HEAD")).status == 405
    assert (await api.bot.get("/nope", "HEAD")).status == 404


async def test_metrics_tell_what_was_taken_and_what_waits(api: Api) -> None:
    """Labels are bounded: what is unknown counts as other."""
    await api.bot.pull_request(opened(delivery_id="d"))
    await api.bot.pull_request(opened(delivery_id="d"))
    await api.bot.pull_request(opened(43))
    await api.bot.pull_request(opened(action="a word from outside"))
    await api.bot.pull_request({"delivery_id": 1})
    (first, _) = await api.bot.claimed()
    await api.bot.result(first["id"], "SUCCEEDED")
    answer = await api.bot.get("/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    lines = set(answer.body.splitlines())
    expected = {
        'centralbot_deliveries_total{action="opened",event="pull_request",result="ACCEPTED"} 2.0',
        'centralbot_deliveries_total{action="opened",event="pull_request",result="DUPLICATE"} 1.0',
        'centralbot_deliveries_total{action="other",event="pull_request",result="IGNORED"} 1.0',
        'centralbot_api_requests_total{endpoint="pull-request",status="400"} 1.0',
        'centralbot_actions_claimed_total{action_type="UPSERT_PR_COMMENT"} 2.0',
        'centralbot_action_results_total{outcome="SUCCEEDED",status="DONE"} 1.0',
        'centralbot_backlog_actions{status="CLAIMED"} 1.0',
        'centralbot_backlog_actions{status="PENDING"} 0.0',
        "centralbot_oldest_pending_action_seconds 0.0",
        "centralbot_due_challenges 0.0",
    }
    assert expected - lines == set()
    assert "a word from outside" not in answer.body


async def test_the_schema_describes_the_internal_endpoints(api: Api) -> None:
    """OpenAPI 3.1 whose references resolve and whose schemas accept the contract's example."""
    answer = await api.bot.get("/schema")
    assert (answer.status, answer.body["openapi"][:3]) == (200, "3.1")
    assert (await api.bot.get("/schema/openapi.json")).body == answer.body
    described = {path for path, methods in answer.body["paths"].items() if "post" in methods and "/internal/" in path}
    batches = "/internal/v2/github/events"
    assert described == {PULL_REQUEST, INSTALLATION, batches, CLAIM, "/internal/v2/bot-actions/{action_id}/result"}
    schemas = answer.body["components"]["schemas"]
    for reference in {part.split('"')[0] for part in json.dumps(answer.body).split('"#/components/schemas/')[1:]}:
        Draft202012Validator.check_schema(schemas[reference])
    operation = answer.body["paths"][PULL_REQUEST]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": {"schemas": schemas}})
    assert list(validator.iter_errors(opened())) == []
    assert list(validator.iter_errors({**opened(), "installation_id": 0})) != []
    assert {"200", "400", "403", "413", "503"} <= set(operation["responses"])


async def _ready_within(bot: Caller, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (await bot.claim()).status == 200:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_while_the_store_is_away_nothing_is_2xx_and_it_recovers_by_itself(
    open_dir_factory: Callable[[], Path],
) -> None:
    """Row 8 of the faults: 503 with Retry-After, ``/readyz`` says why."""
    directory = open_dir_factory() / "data"
    server = await asyncio.to_thread(embedded_postgres.start, directory)
    try:
        async with serving(server.dsn) as api:
            await api.bot.install()
            await asyncio.to_thread(server.stop)
            event = opened()
            events = [event, *(opened(n) for n in range(100, 300))]
            calls = [api.bot.pull_request(event) for event in events]
            answers = await asyncio.wait_for(
                asyncio.gather(*calls, api.bot.claim(), api.bot.result(str(uuid4()), "FAILED")), 10
            )
            assert {(answer.status, answer.code) for answer in answers} == {(503, "UNAVAILABLE")}
            assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
            ready = await api.bot.get("/readyz")
            assert (ready.status, ready.body["status"]) == (503, "not ready")
            assert ready.body["checks"]["store"]
            assert (await api.bot.get("/healthz")).status == 200
            assert (await api.bot.get("/metrics")).status == 200
            server = await asyncio.to_thread(embedded_postgres.start, directory)
            assert await _ready_within(api.bot, 5)
            again = await asyncio.gather(*(api.bot.pull_request(event) for event in events))
            assert {answer.body["ingest_status"] for answer in again} == {"ACCEPTED"}
            assert (await api.bot.get("/readyz")).status == 200
    finally:
        await asyncio.to_thread(server.stop)


async def test_killed_connections_cost_no_delivery(api: Api) -> None:
    """Every session of the pool dies between two requests; the next ones are answered all the same."""
    async with await psycopg.AsyncConnection.connect(api.dsn, autocommit=True) as connection:
        for n in range(1, 4):
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            statuses = [
                a.status for a in await asyncio.gather(*(api.bot.pull_request(opened(10 * n + i)) for i in range(10)))
            ]
            assert statuses == [200] * 10
    assert len(await api.statuses()) == 30


@pytest.mark.parametrize("command", ["serve-api"])
def test_a_taken_port_is_one_clear_line(database: str, command: str) -> None:
    """Exit code 1, and no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CENTRALBOT_")}
        environ |= {"CENTRALBOT_DATABASE_URL": database, "CENTRALBOT_SECRET_KEY": "k" * 40, "CENTRALBOT_API_PORT": port}
        program = [sys.executable, "-c", "from centralbot.entrypoints.cli import main; main()", command]
        done = subprocess.run(program, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    said = [line for line in done.stderr.splitlines() if port in line]
    assert len(said) == 1, done.stderr
    assert "Traceback" not in done.stderr
