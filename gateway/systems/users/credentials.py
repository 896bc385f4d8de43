"""Passwords, one-time tokens, TOTP codes and recovery codes, by the libraries that make them."""

import base64
import binascii
import secrets
from hashlib import sha256

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from gateway.systems.users.model import RECOVERY_CODES

STEP_S = 30
CODE_DIGITS = 6
ISSUER = "smsward"
# Clocks of telephones differ: the codes of the steps before and after are accepted too.
_DRIFT_STEPS = 1
_SECRET_OCTETS = 20  # RFC 4226, section 4, R6
_RECOVERY_OCTETS = 10
_GROUP_CHARS = 4
_MAX_CODE_CHARS = 40

# The parameters that the library recommends: 64 MiB and some 100 ms of CPU each time.
_HASHER = PasswordHasher()
# Verified where there is no password, with the same parameters. Its digest is invented: no
# password has it.
DECOY_HASH = (
    f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}$"
    f"ZGVjb3lkZWNveWRlY295ZA${'0' * 43}"
)


def hash_password(password: str) -> str:
    """Return a PHC string of argon2id. Takes 100 ms of CPU: call it in a thread."""
    return _HASHER.hash(_octets(password))


def is_password(password_hash: str, password: str) -> bool:
    """Tell whether `password` is the one that was hashed. Call it in a thread, too."""
    try:
        return _HASHER.verify(password_hash, _octets(password))
    except (VerificationError, InvalidHashError):
        return False


def must_rehash(password_hash: str) -> bool:
    """Tell whether a password was hashed with parameters that are not today's."""
    return _HASHER.check_needs_rehash(password_hash)


def _octets(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def new_token() -> str:
    """Return 256 random bits, as text for a URL or a cookie."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> str:
    """Return what is kept of a token. A fast hash is enough: 256 random bits cannot be guessed."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def new_secret() -> str:
    """Return a TOTP secret in base32, as authenticator apps read it."""
    return base64.b32encode(secrets.token_bytes(_SECRET_OCTETS)).decode("ascii")


def is_secret(secret: str) -> bool:
    """Tell whether `secret` is of the form that `new_secret` gives."""
    try:
        return len(base64.b32decode(secret.encode("ascii"))) == _SECRET_OCTETS
    except (UnicodeEncodeError, binascii.Error):
        return False


def enrolment_uri(secret: str, name: str) -> str:
    """Return the otpauth URI of a secret, which authenticator apps read as a QR code."""
    return _totp(secret).get_provisioning_uri(name, ISSUER)


def step_of(secret: str, code: str, at_s: float, after: int) -> int | None:
    """Return the time step of a right TOTP code, None for a wrong one (RFC 6238).

    Steps up to `after` are used up: who sees a code being typed cannot use it, too.
    """
    totp, now = _totp(secret), int(at_s) // STEP_S
    octets = code.encode("utf-8", "surrogatepass")
    found = None
    for step in range(now - _DRIFT_STEPS, now + _DRIFT_STEPS + 1):
        try:
            totp.verify(octets, step * STEP_S)
        except InvalidToken:
            continue
        if step > after:
            found = step
    return found


def is_totp_code(code: str) -> bool:
    """Tell a TOTP code from a recovery code, by its form."""
    return len(code) == CODE_DIGITS and code.isascii() and code.isdigit()


def compact_code(code: str) -> str:
    """Return a code as it is compared: without the spaces and hyphens that people read it by."""
    return code[:_MAX_CODE_CHARS].replace(" ", "").replace("-", "").lower()


def new_recovery_codes() -> tuple[str, ...]:
    """Return one-time codes of 80 random bits each, in groups, for who has lost the telephone."""
    return tuple(_grouped(secrets.token_bytes(_RECOVERY_OCTETS)) for _ in range(RECOVERY_CODES))


def recovery_digest(code: str) -> str:
    """Return what is kept of a recovery code."""
    return token_digest(compact_code(code))


def _grouped(octets: bytes) -> str:
    code = base64.b32encode(octets).decode("ascii").lower()
    starts = range(0, len(code), _GROUP_CHARS)
    return "-".join(code[start : start + _GROUP_CHARS] for start in starts)


def _totp(secret: str) -> TOTP:
    key = base64.b32decode(secret)
    # Authenticator apps know no other hash; in an HMAC its collisions are of no use.
    return TOTP(key, CODE_DIGITS, SHA1(), STEP_S)  # noqa: S303
