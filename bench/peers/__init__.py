"""Servers of the plain dialect to measure against, each on ``cryptography.fernet``.

Each is started with a key file and prints the port on which it listens.
"""

from __future__ import annotations

from cryptography.fernet import Fernet


def answer(fernet: Fernet, token: bytes) -> bytes:
    """The reply's token; raises cryptography's InvalidToken."""
    text = fernet.decrypt(token)
    text.decode()
    return fernet.encrypt(b"Server received: " + text)
