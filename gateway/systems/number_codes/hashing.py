"""Hashes of codes: six digits that count for ten minutes.

A million codes are tried in minutes whatever the hash costs, so it is a cheap one. What
protects a code is that it has five attempts and is void before long.
"""

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

_HASHER = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)

# What is compared where there is no code. Its digest is made up: no code has it.
DECOY = (
    "$argon2id$v=19$m=1024,t=1,p=1$"
    "ZGVjb3lkZWNveWRlY295ZA$0000000000000000000000000000000000000000000"
)


def hash_code(code: str) -> str:
    """Return a PHC string of a code."""
    return _HASHER.hash(code)


def is_code(code_hash: str, code: str) -> bool:
    """Tell whether `code` is the one that was hashed. Takes CPU: call it in a thread."""
    try:
        return _HASHER.verify(code_hash, code.encode("utf-8", "surrogatepass"))
    except VerificationError:
        return False
