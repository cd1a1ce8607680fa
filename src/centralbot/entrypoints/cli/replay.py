"""Sends a saved payload to a running worker, as GitHub would."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from centralbot.domain.signing import webhook_signature
from centralbot.entrypoints.cli.output import AsJson, emit_json, fail, printable
from centralbot.entrypoints.cli.running import begin

TIMEOUT_S = 15.0
SHOWN = 2000


def replay(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="The payload, as sent.")],
    event: Annotated[str, typer.Option(help="Its event, such as pull_request.")],
    url: Annotated[str | None, typer.Option(help="The worker; by default as CENTRALBOT_WORKER_* say.")] = None,
    delivery_id: Annotated[str | None, typer.Option(help="Its delivery id; a new one by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send a saved payload, signed with CENTRALBOT_GITHUB_WEBHOOK_SECRET, to a running worker."""
    from centralbot.entrypoints.settings import load_webhook_target

    target = load_webhook_target(begin())
    address = _address(url or target.url)
    body = file.read_bytes()
    headers = {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/centralbot-replay",
        "x-github-event": event,
        "x-github-delivery": delivery_id or str(uuid4()),
        "x-hub-signature-256": webhook_signature(target.secret, body),
    }
    status, answer = _post(address, headers, body)
    if as_json:
        emit_json({"status": status, "delivery_id": headers["x-github-delivery"], "answer": answer})
    else:
        print(f"{status} {printable(answer)}")
    if not 200 <= status < 300:
        raise typer.Exit(1)


def _address(url: str) -> str:
    """A worker's base URL, or the whole address of its webhook."""
    base = url.rstrip("/")
    return base if base.endswith("/webhooks/github") else f"{base}/webhooks/github"


def _post(address: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    import httpx

    try:
        response = httpx.post(address, headers=headers, content=body, timeout=TIMEOUT_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError) as exc:
        fail(f"{address} does not answer ({exc}): is 'centralbot serve-worker' running there? --url names another")
    return response.status_code, response.text[:SHOWN]
