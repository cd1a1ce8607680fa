"""Encryption at rest: Fernet (https://github.com/fernet/spec) under a key derived from CENTRALBOT_SECRET_KEY."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derive(secret_key: str, purpose: str) -> bytes:
    """32 bytes for one purpose; keys of different purposes tell nothing of each other."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"centralbot:{purpose}".encode()).derive(
        secret_key.encode()
    )


class Cipher:
    """Encrypts small secrets; what is sealed for one ``purpose`` opens for no other."""

    def __init__(self, secret_key: str, purpose: str = "at-rest") -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(derive(secret_key, purpose)))

    def encrypt(self, value: bytes) -> bytes:
        return self._fernet.encrypt(value)

    def decrypt(self, value: bytes) -> bytes:
        """Raises InvalidToken under another key."""
        return self._fernet.decrypt(value)
