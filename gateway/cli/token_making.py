"""The work of `smsward api new-token`."""

import secrets

from gateway.cli.failure import ExitCode, misused
from gateway.cli.screen import say, visible
from gateway.settings.api import digest_of
from gateway.settings.api_file import client_name_problem


def print_token(name: str) -> int:
    """Print a token and the part of api.yaml that knows it; return the exit code."""
    problem = client_name_problem(name)
    if problem is not None:
        raise misused(f"--name: {visible(name[:40])}: {problem}")
    token = secrets.token_urlsafe(32)
    say(f"for the client, kept nowhere else: {token}")
    say("for api.yaml, below clients, with its role:")
    say(f'  - {{name: {name}, token: "sha256:{digest_of(token).hex()}", role: sp, system_id: …}}')
    return ExitCode.FINE
