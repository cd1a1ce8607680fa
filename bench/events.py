"""Requests made beforehand: signed internal ones, and webhooks like GitHub's, 20 kB and more."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bench import load
from bench.world import INSTALLATIONS, KEY_ID, REPOSITORIES, REPOSITORY_OFFSET, SECRET, WEBHOOK_SECRET
from centralbot.domain import signing

PAYLOAD = Path(__file__).parent.parent / "tests" / "data" / "payloads" / "pull_request.opened.json"
HIGHEST_PR = 2_000_000_000


def ingest_requests(count: int) -> list[bytes]:
    """Opened pull requests, each another one, as the worker would send them."""
    key, stamp = signing.signing_key(SECRET), str(int(time.time()))
    made = []
    for _ in range(count):
        repo, number, delivery = random.randint(1, REPOSITORIES), random.randint(1, HIGHEST_PR), str(uuid.uuid4())
        at, author = "2026-02-16T12:34:56Z", {"id": 2002, "login": "contributor"}
        body = json.dumps(
            {
                "delivery_id": delivery, "event_time": at, "installation_id": 1 + repo % INSTALLATIONS,
                "action": "opened", "repository": {"id": repo, "full_name": "org/repo"}, "sender": author,
                "pull_request": {
                    "number": number, "id": number, "html_url": "https://github.com/org/repo/pull/42",
                    "is_draft": False, "user": {**author, "type": "User"}, "head_sha": "a" * 40,
                    "author_association": "NONE", "updated_at": at,
                },
            }, separators=(",", ":"),
        ).encode()  # fmt: skip
        nonce, message = uuid.uuid4().hex, signing.pull_request_message(delivery)
        text = signing.signed_text(timestamp=stamp, message=message, nonce=nonce, body=body)
        headers = {
            "content-type": "application/json", "x-sitg-key-id": KEY_ID, "x-sitg-timestamp": stamp,
            "x-sitg-nonce": nonce, "x-sitg-signature": signing.internal_signature(key, text),
        }  # fmt: skip
        made.append(load.request("/internal/v2/github/events/pull-request", body, headers))
    return made


@cache
def _template() -> bytes:
    payload = json.loads(PAYLOAD.read_text())
    pull, repository = payload["pull_request"], payload["repository"]
    payload["number"] = pull["number"] = 700_000_001
    pull["id"] = 700_000_002
    payload["installation"]["id"] = 700_000_003
    repository["id"] = 700_000_004
    repository["full_name"] = "full/name"
    pull["author_association"] = "NONE"
    for person in (pull["user"], payload["sender"]):
        person["id"], person["login"] = 2002, "contributor"
    return json.dumps(payload).encode()


def webhook(installation: int, repo: int, number: int, full_name: str) -> bytes:
    """An opened pull request as GitHub tells of it."""
    body = _template().replace(b"700000001", b"%d" % number).replace(b"700000002", b"%d" % (number + 10**10))
    body = body.replace(b"700000003", b"%d" % installation).replace(b"700000004", b"%d" % repo)
    body = body.replace(b"full/name", full_name.encode())
    signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json", "x-github-event": "pull_request", "x-github-delivery": str(uuid.uuid4()),
        "x-hub-signature-256": f"sha256={signature}", "user-agent": "GitHub-Hookshot/51a2c3f",
    }  # fmt: skip
    return load.request("/webhooks/github", body, headers)


def webhooks(count: int) -> Iterator[bytes]:
    """Opened pull requests all over."""
    for _ in range(count):
        repo = random.randint(1, REPOSITORIES)
        yield webhook(1 + repo % INSTALLATIONS, repo, random.randint(1, HIGHEST_PR), "org/repo")


def webhook_of(installation: int, number: int) -> bytes:
    """For a pull request that the simulator has."""
    return webhook(installation, REPOSITORY_OFFSET + installation, number, f"org{installation}/r")
