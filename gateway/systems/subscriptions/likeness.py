"""Similarity of texts by a 64-bit simhash: similar texts share nearly all bits."""

import re
from hashlib import blake2b

from gateway.policy.mo_words import key_of

MAX_CHARS = 1000

_BITS = 64
_SPAN = 2  # characters, about the length of a Chinese word
# Texts of 60 characters in which some words differ are 3 to 12 bits apart, others about 32.
_MAX_DISTANCE = 12

_DIGITS = re.compile(r"\d+")


def likeness_of(text: str) -> int:
    """Return the simhash of `text`: width, case, script, punctuation and digits do not count."""
    letters = _DIGITS.sub("", key_of(text[:MAX_CHARS]))
    spans = {letters[at : at + _SPAN] for at in range(max(1, len(letters) - _SPAN + 1))}
    votes = [0] * _BITS
    for span in spans:
        digest = blake2b(span.encode("utf-8", "surrogatepass"), digest_size=_BITS // 8).digest()
        bits = int.from_bytes(digest, "big")
        for bit in range(_BITS):
            votes[bit] += 1 if bits >> bit & 1 else -1
    return sum(1 << bit for bit, vote in enumerate(votes) if vote > 0)


def is_alike(one: int, other: int) -> bool:
    """Tell whether two simhashes belong to similar texts."""
    return (one ^ other).bit_count() <= _MAX_DISTANCE
