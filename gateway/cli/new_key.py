"""The work of `smsward keys new`: a fresh key to seal records with."""

import secrets
from base64 import b64encode

from gateway.cli.failure import ExitCode, misused
from gateway.cli.screen import say, visible
from gateway.runtime.sealing import KEY_ID

_OCTETS = 64  # AES-256 for either half of SIV


def print_key(key_id: str) -> int:
    """Print one line of a file of keys; return the exit code."""
    if not KEY_ID.fullmatch(key_id):
        raise misused(f"--id: {visible(key_id[:40])}: an id has 1 to 16 of a-z, 0-9, - and _")
    say(f"{key_id}: {b64encode(secrets.token_bytes(_OCTETS)).decode()}")
    return ExitCode.FINE
