"""Hashes of codes: six digits that are valid for ten minutes.

The hash is a cheap one: a million codes can be tried in minutes even with an expensive hash.
A code is protected by its limit of five attempts and its short life.
"""

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

_HASHER = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)

# Compared if there is no code. Its digest is invented: no code has it.
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
