"""Chance that is a pure function: of a seed and of what is drawn for, never of an order."""

import hashlib


def uniform(*parts: object) -> float:
    """A number in [0, 1) that depends on `parts` alone (the top 53 bits of their SHA-256)."""
    text = "\x1f".join(map(str, parts)).encode()
    return (int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 11) / 2**53
