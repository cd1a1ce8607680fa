"""Signatures: GitHub's vector, tampering, bytes that are no text, gate tokens, freshness."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralbot.domain import signing
from centralbot.domain.dedup import MAX_SKEW_S, is_fresh, replay_horizon
from tests.builders import T0, at

SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
SIGNATURE = b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
KEY = signing.signing_key("service secret")


def test_githubs_own_vector() -> None:
    """From GitHub's page on validating webhook deliveries."""
    assert signing.webhook_signature(SECRET, BODY).encode() == SIGNATURE
    assert signing.webhook_matches(SIGNATURE, BODY, [SECRET]) is True


@pytest.mark.parametrize(
    "signature",
    [
        None,
        b"",
        b"sha256=",
        SIGNATURE[:-1],
        SIGNATURE + b"0",
        SIGNATURE.upper(),
        b"sha1=" + hmac.new(SECRET.encode(), BODY, "sha1").hexdigest().encode(),
        "sha256=ü".encode(),
        b"\xff\xfe",
    ],
)
def test_anything_else_is_refused_without_raising(signature: bytes | None) -> None:
    """Fault 23: missing, short, long, SHA-1, not ASCII."""
    assert signing.webhook_matches(signature, BODY, [SECRET]) is False


@given(body=st.binary(), other=st.binary())
def test_a_changed_body_is_refused(body: bytes, other: bytes) -> None:
    """One bit is enough."""
    signature = signing.webhook_signature(SECRET, body).encode()
    assert signing.webhook_matches(signature, other, [SECRET]) is (body == other)


def test_two_secrets_serve_while_rotating() -> None:
    """Fault 46; without any secret nothing is right."""
    assert signing.webhook_matches(SIGNATURE, BODY, ["new", SECRET]) is True
    assert signing.webhook_matches(SIGNATURE, BODY, ["new"]) is False
    assert signing.webhook_matches(SIGNATURE, BODY, []) is False


def test_the_internal_signature_is_the_contracts() -> None:
    """Worked out by hand from section 2: plain, and bound to nonce and body."""
    key = hashlib.sha256(b"service secret").digest()
    plain = hmac.new(key, b"1771243200.bot-actions-claim:w", hashlib.sha256).hexdigest()
    digest = hashlib.sha256(b"{}").hexdigest()
    bound = hmac.new(key, f"1771243200.nonce-nonce-nonce.bot-actions-claim:w.{digest}".encode(), hashlib.sha256)
    message = signing.claim_message("w")
    text = signing.signed_text(timestamp="1771243200", message=message)
    bound_text = signing.signed_text(timestamp="1771243200", message=message, nonce="nonce-nonce-nonce", body=b"{}")
    assert signing.internal_signature(KEY, text) == f"sha256={plain}"
    assert signing.internal_signature(KEY, bound_text) == f"sha256={bound.hexdigest()}"


def test_each_endpoint_signs_its_own_message() -> None:
    """A signature for one is none for another."""
    assert [
        signing.pull_request_message("d"),
        signing.installation_message("d"),
        signing.claim_message("w"),
        signing.result_message("a", "w", "SUCCEEDED"),
    ] == [
        "github-event:pull_request:d",
        "github-event:installation-sync:d",
        "bot-actions-claim:w",
        "bot-action-result:a:w:SUCCEEDED",
    ]


@pytest.mark.parametrize(
    ("nonce", "valid"),
    [
        ("a" * 16, True),
        ("A-z_0" * 12, True),
        ("a" * 15, False),
        ("a" * 65, False),
        ("a" * 15 + "ü", False),
        ("a" * 16 + "\n", False),
    ],
)
def test_nonces_are_16_to_64_plain_characters(nonce: str, valid: bool) -> None:
    """Nothing that could end a header or a field."""
    assert (signing.NONCE.fullmatch(nonce) is not None) is valid


@given(challenge_id=st.uuids())
def test_a_gate_token_leads_to_its_challenge_only_under_its_key(challenge_id: UUID) -> None:
    """It is safe in a URL, and another key does not know it."""
    token = signing.gate_token(KEY, challenge_id)
    assert signing.gate_challenge_id(KEY, token) == challenge_id
    assert signing.gate_challenge_id(b"another key", token) is None
    assert (len(token), token.isascii(), "=" in token) == (43, True, False)


@given(challenge_id=st.uuids(), place=st.integers(0, 41), letter=st.sampled_from("ABCxyz019-_"))
def test_a_tampered_gate_token_is_nobodys(challenge_id: UUID, place: int, letter: str) -> None:
    """Any character but the last, whose spare bits carry nothing."""
    token = signing.gate_token(KEY, challenge_id)
    tampered = token[:place] + letter + token[place + 1 :]
    expected = challenge_id if tampered == token else None
    assert signing.gate_challenge_id(KEY, tampered) == expected


@given(token=st.text(max_size=100))
def test_any_text_as_a_gate_token_is_refused_without_raising(token: str) -> None:
    """Whatever somebody types into the address."""
    assert signing.gate_challenge_id(KEY, token) is None


@pytest.mark.parametrize(("off", "fresh"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_a_timestamp_may_be_300_s_off_either_way(off: int, fresh: bool) -> None:
    """Section 2."""
    assert [is_fresh(int(T0.timestamp()) + off, now=at(part_s)) for part_s in (0, 0.9)] == [fresh, fresh]


@given(age=st.integers(-MAX_SKEW_S, 10_000))
def test_a_signature_is_remembered_as_long_as_it_could_be_used(age: int) -> None:
    """What is before the horizon is stale by then."""
    signed_at = int(at(0).timestamp()) - age
    assert signed_at >= replay_horizon(T0) or not is_fresh(signed_at, now=T0)
