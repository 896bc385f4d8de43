"""The work of `smsward api new-token`."""

import json
import secrets
from collections.abc import Sequence

from gateway.cli.failure import ExitCode, misused
from gateway.cli.screen import print_json, say, visible
from gateway.domain.api_client import ApiRole, RefusalChannel
from gateway.settings.api_file import client_name_problem
from gateway.settings.tokens import digest_of

_MAX_SYSTEM_ID_CHARS = 15  # SMPP 3.4, 5.2.1, less its NUL


def print_token(
    name: str,
    role: ApiRole,
    system_id: str | None,
    channels: Sequence[RefusalChannel],
    *,
    as_json: bool,
) -> int:
    """Print a token and the part of api.yaml that knows it; return the exit code."""
    problem = client_name_problem(name)
    if problem is not None:
        raise misused(f"--name: {visible(name[:40])}: {problem}")
    own = _own(role, system_id, channels)
    token = secrets.token_urlsafe(32)
    digest = f"sha256:{digest_of(token).hex()}"
    if as_json:
        print_json({"token": token, "client": {"name": name, "role": role, **own, "token": digest}})
        return ExitCode.FINE
    words = "".join(f", {key}: {_written(value)}" for key, value in own.items())
    say(f"for the client, kept nowhere else: {token}")
    say("for api.yaml, below clients:")
    say(f'  - {{name: {name}, role: {role}{words}, token: "{digest}"}}')
    say("the client sends it as the header Authorization: Bearer TOKEN")
    return ExitCode.FINE


def _own(
    role: ApiRole, system_id: str | None, channels: Sequence[RefusalChannel]
) -> dict[str, object]:
    """Return what a client of `role` has beside name and token. Raises CommandError."""
    if system_id is not None and role is not ApiRole.SP:
        raise misused(f"--system-id: only a client of the role sp speaks for an SP, not {role}")
    if channels and role is not ApiRole.CLERK:
        raise misused(f"--channel: only a client of the role clerk has channels, not {role}")
    if role is ApiRole.CLERK:
        return {"channels": list(dict.fromkeys(channels)) or [RefusalChannel.HALL]}
    if role is not ApiRole.SP:
        return {}
    if system_id is not None and not _is_system_id(system_id):
        raise misused("--system-id: 1 to 15 characters that can be shown, as in senders.yaml")
    return {"system_id": system_id or "…"}


def _is_system_id(text: str) -> bool:
    return text.isprintable() and 1 <= len(text) <= _MAX_SYSTEM_ID_CHARS


def _written(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    # A string of JSON is one of YAML, whatever is in it.
    return str(value) if value == "…" else json.dumps(value, ensure_ascii=False)
