"""Who acts: the account by the kernel's word, and the name that it gives with --by."""

import os
import pwd
from pathlib import Path

from gateway.cli.screen import visible

_MAX_NAME_CHARS = 64
_LOGIN_UID = Path("/proc/self/loginuid")
_NO_LOGIN = 2**32 - 1  # what the kernel says of a process that no login started


def acting(by: str | None) -> str:
    """Return who acts: the account, and the person it claims to act for; never empty.

    What stands there is the kernel's word: ``smsward``, or ``smsward (login lin)`` for who logged
    in as lin and became smsward. A name given with --by is only said, and noted as that:
    ``wu (said by smsward, login lin)``. No environment variable is read.
    """
    account, login = _name_of(os.getuid()), _login()
    said = visible((by or "").strip())[:_MAX_NAME_CHARS]
    beside = "" if login in ("", account) else f"login {login}"
    if said and said != account:
        # Last, whatever the name says of itself.
        return f"{said} (said by {', '.join(filter(None, (account, beside)))})"
    return f"{account} ({beside})" if beside else account


def _login() -> str:
    """Return the account of the login that started this process, "" where there was none.

    It stays with the process through su and sudo (Linux, proc_pid_loginuid(5)). A process that
    no login started may set it once, so it is noted beside the account, never in its place.
    """
    try:
        uid = int(_LOGIN_UID.read_text("ascii"))
    except (OSError, ValueError):  # no Linux, or no /proc
        return ""
    return "" if uid == _NO_LOGIN else _name_of(uid)


def _name_of(uid: int) -> str:
    try:
        return visible(pwd.getpwuid(uid).pw_name)[:_MAX_NAME_CHARS] or f"uid {uid}"
    except KeyError:  # a container's user need not have a name
        return f"uid {uid}"
