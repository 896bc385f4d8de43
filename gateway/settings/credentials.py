"""SPs' passwords and clients' tokens in files: hashed, compared in constant time.

An SMPP password has at most 8 octets (SMPP 3.4, 5.2.2), so no hash can protect a stolen
file for long; a dear one would only let strangers burn this machine by trying to bind.
Hence 8 MiB, two passes and one lane: a few milliseconds each. What protects accounts is
their address list and the lock-out.
"""

import hmac
import os
import re
from hashlib import sha256
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from pydantic import AfterValidator

MAX_OCTETS = 8

_HASHER = PasswordHasher(time_cost=2, memory_cost=8 * 1024, parallelism=1)
_PHC = re.compile(
    r"\$argon2id\$v=19\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,3})"
    r"\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}"
)
_MAX_MEMORY_KIB = 64 * 1024
_MAX_TIME_COST = 10
_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")

# What an unknown system_id is verified against, so that its answer takes as long as a wrong
# password's. Its digest is made up: nobody knows a secret for it.
DECOY = (
    "$argon2id$v=19$m=8192,t=2,p=1$"
    "ZGVjb3lkZWNveWRlY295ZA$0000000000000000000000000000000000000000000"
)

# What stands in the sample of senders.yaml, for the word secret.
_SAMPLE = (
    "$argon2id$v=19$m=8192,t=2,p=1$"
    "p4TjN9diDxA7W0tmYoLk/Q$jndRzbfWDS3nGH/iempARLgBO3elnWkILgLNR6fgtkk"
)


def hash_password(secret: str) -> str:
    """Return a PHC string of `secret`. Raises ValueError when no bind can carry it."""
    problem = _secret_problem(secret)
    if problem:
        raise ValueError(problem)
    return _HASHER.hash(secret)


def verify(stored: str, secret: bytes) -> bool:
    """Tell whether `secret`, as a bind carried it, is the password `stored`.

    Takes milliseconds of CPU: call it in a thread, and not before the lock-out was asked.
    """
    form, _, rest = stored.partition(":")
    if form == "env":
        expected = os.environ.get(rest, "")
        return bool(expected) and hmac.compare_digest(os.fsencode(expected), secret)
    if form == "plain":
        return bool(rest) and hmac.compare_digest(rest.encode(), secret)
    try:
        return _HASHER.verify(stored, secret)
    except (ValueError, VerificationError):
        return False


def is_samples_own(stored: str) -> bool:
    """Tell whether a password is still that of the sample, which everybody can read."""
    return stored == _SAMPLE


def password_problem(stored: str) -> str | None:
    """Return what is wrong with a password as configured, or None. Never shows it."""
    form, _, rest = stored.partition(":")
    if form == "env":
        if not _VARIABLE.fullmatch(rest):
            return "env: must name an environment variable"
        if rest not in os.environ:
            return f"environment variable {rest} is not set"
        return _secret_problem(os.environ[rest])
    if form == "plain":
        return _secret_problem(rest)
    return _phc_problem(stored)


def _secret_problem(secret: str) -> str | None:
    octets = len(secret.encode(errors="replace"))
    if octets == 0:
        return "the password is empty"
    if octets > MAX_OCTETS:
        return f"the password is longer than the {MAX_OCTETS} octets a bind can carry"
    return None


def _phc_problem(stored: str) -> str | None:
    if not stored.startswith("$argon2id$"):
        return 'must be "$argon2id$…" (smsward sender hash-password), env:NAME or plain:secret'
    shape = _PHC.fullmatch(stored)
    if shape is None:
        return "not a whole argon2id hash; make one with: smsward sender hash-password"
    memory_kib, passes, lanes = map(int, shape.groups())
    if passes == 0 or lanes == 0 or memory_kib < 8 * lanes:
        return "not a usable argon2id hash; make one with: smsward sender hash-password"
    if memory_kib > _MAX_MEMORY_KIB or passes > _MAX_TIME_COST:
        return "this hash costs too much per bind; make one with: smsward sender hash-password"
    return None


MIN_TOKEN_CHARS = 32

_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_ENV = re.compile("env:[A-Za-z_][A-Za-z0-9_]*")


def _is_usable_token(text: str) -> str:
    if _DIGEST.fullmatch(text):
        return text
    if not _ENV.fullmatch(text):
        raise ValueError('must be "sha256:" and 64 of 0-9a-f, or env:NAME (smsward api new-token)')
    variable = text.removeprefix("env:")
    token = os.environ.get(variable)
    if token is None:
        raise ValueError(f"environment variable {variable} is not set")
    # Whatever is short can be guessed, for a digest of it is quick to make.
    if len(token) < MIN_TOKEN_CHARS or not token.isascii():
        raise ValueError(f"{variable} must hold a token of at least {MIN_TOKEN_CHARS} characters")
    return text


UsableToken = Annotated[str, AfterValidator(_is_usable_token)]


def digest_of(token: str) -> bytes:
    """Return what is kept of a token: enough, for it is too long to be guessed."""
    return sha256(token.encode()).digest()


def digest_in(usable: str) -> bytes:
    """Return the digest of the token that a UsableToken stands for."""
    form, _, rest = usable.partition(":")
    return bytes.fromhex(rest) if form == "sha256" else digest_of(os.environ[rest])
