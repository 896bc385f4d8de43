"""Who acts: the name that stands beside a decision."""

import getpass
import os

from gateway.cli.screen import visible

_MAX_NAME_CHARS = 64


def acting(by: str | None) -> str:
    """Return the name given with --by, else that of the account; never empty."""
    if by is None:
        try:
            by = getpass.getuser()
        except (KeyError, OSError):  # a container's user need not have a name
            by = f"uid {os.getuid()}"
    return visible(by.strip())[:_MAX_NAME_CHARS] or "unnamed"
