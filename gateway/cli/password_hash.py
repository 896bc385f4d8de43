"""The work of `smsward sender hash-password`."""

import getpass
import sys

from gateway.cli.failure import ExitCode, misused
from gateway.settings.passwords import hash_password

# What is read of a line; a password has at most eight octets.
_MAX_CHARS = 256


def print_hash() -> int:
    """Ask for a password, print its PHC string, and return the exit code."""
    secret = _asked() if sys.stdin.isatty() else sys.stdin.readline(_MAX_CHARS).rstrip("\r\n")
    try:
        phc = hash_password(secret)
    except ValueError as error:
        raise misused(str(error)) from None
    sys.stdout.write(f"{phc}\n")
    return ExitCode.FINE


def _asked() -> str:
    try:
        secret = getpass.getpass("Password: ")
        repeated = getpass.getpass("Once more: ")
    except EOFError:
        raise misused("no password was given") from None
    if secret != repeated:
        raise misused("the two passwords differ", "try again")
    return secret
