"""SPs' passwords, clients' tokens and the keys of a gateway, in files or in the environment.

Passwords are hashed and compared in constant time.

An SMPP password has at most 8 octets (SMPP 3.4, 5.2.2), so no hash can protect a stolen
file for long; a dear one would only let strangers burn this machine by trying to bind.
Hence 8 MiB, two passes and one lane: a few milliseconds each. What protects accounts is
their address list and the lock-out.
"""

import hmac
import os
import re
import stat
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from gateway.runtime.sealing import KEY_ID, KEY_OCTETS
from gateway.settings import yaml
from gateway.settings.schema import ReadAs
from gateway.settings.yaml import SettingsError, whole_file_fault

MAX_OCTETS = 8

_HASHER = PasswordHasher(time_cost=2, memory_cost=8 * 1024, parallelism=1)
_PHC = re.compile(
    r"\$argon2id\$v=19\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,3})"
    r"\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}"
)
_MAX_MEMORY_KIB = 64 * 1024
_MAX_TIME_COST = 10
_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")

# As many octets as HMAC-SHA256 gives (RFC 2104, section 3, asks for no fewer).
_WEBHOOK_KEY_OCTETS = range(32, 257)
MIN_TOKEN_CHARS = 32
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_MAX_KEYS = 64
_HOW = "make one with: smsward keys new"

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
        return _variable_problem(rest) or _secret_problem(os.environ[rest])
    if form == "plain":
        return _secret_problem(rest)
    return _phc_problem(stored)


def smsc_password_problem(stored: str) -> str | None:
    """Return what is wrong with a password that the gateway itself binds with, or None."""
    if stored.partition(":")[0] not in ("env", "plain"):
        return "must be env:NAME or plain:secret: the SMSC is sent it"
    return password_problem(stored)


def _variable_problem(name: str) -> str | None:
    if not _VARIABLE.fullmatch(name):
        return "env: must name an environment variable"
    if name not in os.environ:
        return f"environment variable {name} is not set"
    return None


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


def secret_of(stored: str) -> bytes:
    """Return what ``plain:`` or ``env:`` stands for, empty when the environment has lost it."""
    form, _, rest = stored.partition(":")
    return os.fsencode(os.environ.get(rest, "")) if form == "env" else rest.encode()


def mail_password_problem(stored: str) -> str | None:
    """Return what is wrong with the password of a mail server, or None. Never shows it."""
    form, _, rest = stored.partition(":")
    if form == "env":
        return _variable_problem(rest)
    return None if form == "plain" and rest else "must be env:NAME or plain:secret"


def webhook_key_problem(stored: str) -> str | None:
    """Return what is wrong with a key as configured, or None. Never shows it."""
    form, _, rest = stored.partition(":")
    if form not in ("env", "plain"):
        return "must be env:NAME or plain:secret"
    problem = _variable_problem(rest) if form == "env" else None
    if problem is None and len(secret_of(stored)) not in _WEBHOOK_KEY_OCTETS:
        few, many = _WEBHOOK_KEY_OCTETS[0], _WEBHOOK_KEY_OCTETS[-1]
        return f"the key must have {few} to {many} octets: openssl rand -hex 32"
    return problem


def digest_of(token: str) -> bytes:
    """Return what is kept of a token: enough, for it is too long to be guessed."""
    return sha256(token.encode()).digest()


def _to_digest(stored: str) -> bytes:
    form, _, rest = stored.partition(":")
    if _DIGEST.fullmatch(stored):
        return bytes.fromhex(rest)
    if form != "env" or not _VARIABLE.fullmatch(rest):
        raise ValueError(
            'must be "sha256:" and 64 of 0-9a-f, or env:NAME (smsward console new-token)'
        )
    problem = _variable_problem(rest)
    if problem is not None:
        raise ValueError(problem)
    token = os.environ[rest]
    # Whatever is short can be guessed, for a digest of it is quick to make.
    if len(token) < MIN_TOKEN_CHARS or not token.isascii():
        raise ValueError(f"{rest} must hold a token of at least {MIN_TOKEN_CHARS} characters")
    return digest_of(token)


TokenDigest = Annotated[bytes, ReadAs(str, _to_digest)]


def load_keys(source: str) -> Mapping[str, bytes]:
    """Return the keys of `source`, a file or ``env:NAME``: one ``id: base64`` a line.

    A file must be its owner's alone. Raises SettingsError with all faults; none of them
    shows a key.
    """
    document = _document(source)
    entries = document.value
    if not isinstance(entries, dict) or not entries:
        raise whole_file_fault(document.path, f"must hold keys, one `id: base64` a line; {_HOW}")
    if len(entries) > _MAX_KEYS:
        raise whole_file_fault(document.path, f"holds more than {_MAX_KEYS} keys")
    faults = list(document.faults)
    keys: dict[str, bytes] = {}
    for key_id, value in entries.items():
        key = _key_of(value)
        if not KEY_ID.fullmatch(key_id):
            problem = "an id has 1 to 16 of a-z, 0-9, - and _"
            faults.append(document.fault((key_id,), problem, at_key=True))
        elif key is None:
            problem = f"must be base64 of 32, 48 or 64 octets; {_HOW}"
            faults.append(document.fault((key_id,), problem))
        else:
            keys[key_id] = key
    if faults:
        raise SettingsError(faults)
    return keys


def _document(source: str) -> yaml.Document:
    if not source.startswith("env:"):
        path = Path(source)
        document = yaml.read(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise whole_file_fault(path, "others may read it: chmod 600")
        return document
    name, named = source.removeprefix("env:"), Path(source)
    problem = _variable_problem(name)
    if problem is not None:
        raise whole_file_fault(named, problem)
    return yaml.compose(named, os.fsencode(os.environ[name]))


def _key_of(value: yaml.Value) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        key = b64decode(value, validate=True)
    except ValueError:
        return None
    return key if len(key) in KEY_OCTETS else None
