"""Drains the outbox over HTTP with no-op executions: claims in batches, reports one result a call, all signed anew.

Usage: ``python -m bench.processes.drain_client PORT ACTIONS CLAIMERS RESULT_CONNECTIONS``. Prints a JSON object.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import sys
import time
from collections import deque
from functools import partial
from typing import Any

import uvloop

from bench.world import KEY_ID, SECRET

KEY = hashlib.sha256(SECRET.encode()).digest()
NONCES = os.urandom(8).hex()


class Drain:
    """Claims keep a small stock; the connections for results take from it."""

    def __init__(self, actions: int, limit: int) -> None:
        self.left, self.limit = actions, limit
        self.stock: deque[tuple[str, str]] = deque()
        self.idle: list[Connection] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.nonce = 0
        self.claims = 0
        self.bad: dict[int, int] = {}

    def signed(self, path: str, message: str, body: bytes) -> bytes:
        self.nonce += 1
        nonce, stamp = f"{NONCES}{self.nonce:010d}", str(int(time.time()))
        text = f"{stamp}.{nonce}.{message}.{hashlib.sha256(body).hexdigest()}".encode()
        return (
            f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nx-sitg-key-id: {KEY_ID}\r\n"
            f"x-sitg-timestamp: {stamp}\r\nx-sitg-nonce: {nonce}\r\ncontent-length: {len(body)}\r\n"
            f"x-sitg-signature: sha256={hmac.digest(KEY, text, 'sha256').hex()}\r\n\r\n"
        ).encode() + body

    def claim(self) -> bytes:
        self.claims += 1
        body = b'{"worker_id":"bench","limit":%d,"wait_s":1}' % self.limit
        return self.signed("/internal/v2/bot-actions/claim", "bot-actions-claim:bench", body)

    def result(self) -> bytes:
        action_id, token = self.stock.popleft()
        body = f'{{"worker_id":"bench","outcome":"SUCCEEDED","claim_token":"{token}"}}'.encode()
        path = f"/internal/v2/bot-actions/{action_id}/result"
        return self.signed(path, f"bot-action-result:{action_id}:bench:SUCCEEDED", body)

    def took(self, actions: list[dict[str, Any]]) -> None:
        self.stock.extend((action["id"], action["claim_token"]) for action in actions)
        while self.idle and self.stock:
            self.idle.pop().send()

    def settled(self, status: int) -> None:
        if status != 200:
            self.bad[status] = self.bad.get(status, 0) + 1
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(None)


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self, drain: Drain, is_claimer: bool) -> None:
        self.drain, self.is_claimer, self.buffer = drain, is_claimer, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        if self.is_claimer:
            if len(self.drain.stock) > 4 * self.drain.limit:
                asyncio.get_running_loop().call_later(0.005, self.send)
            else:
                self.transport.write(self.drain.claim())
        elif self.drain.stock:
            self.transport.write(self.drain.result())
        else:
            self.drain.idle.append(self)

    def data_received(self, data: bytes) -> None:
        self.buffer = buffer = self.buffer + data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        at = buffer.find(b"content-length: ")
        length = int(buffer[at + 16 : buffer.find(b"\r\n", at)])
        if len(buffer) < end + 4 + length:
            return
        self.buffer = b""
        status = int(buffer[9:12])
        if self.is_claimer:
            self.drain.took(json.loads(buffer[end + 4 :])["actions"] if status == 200 else [])
        else:
            self.drain.settled(status)
        if self.drain.left:
            self.send()


async def main() -> None:
    port, actions, claimers, connections = map(int, sys.argv[1:5])
    drain = Drain(actions, 100)
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    for number in range(claimers + connections):
        await loop.create_connection(partial(Connection, drain, number < claimers), "127.0.0.1", port)
    async with asyncio.timeout(120):
        await drain.done
    seconds = time.perf_counter() - started
    print(json.dumps({"per_second": actions / seconds, "claims": drain.claims, "bad": drain.bad}))


if __name__ == "__main__":
    uvloop.run(main())
