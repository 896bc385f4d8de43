"""The webhooks of SPs: where notices go, and the key that signs them."""

import os
import re
from ipaddress import ip_address
from urllib.parse import urlsplit

# As many octets as HMAC-SHA256 gives (RFC 2104, section 3, asks for no fewer).
_KEY_OCTETS = range(32, 257)
_MAX_URL_CHARS = 500
_URL = re.compile("[!-~]+")
# What every reader of URLs takes for the same host: here it is looked at, elsewhere dialled.
_HOST = re.compile("[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?|[0-9a-f:]+:[0-9a-f.]*")
_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def webhook_key(stored: str) -> bytes:
    """Return the key that `stored` stands for, empty when the environment has lost it."""
    form, _, rest = stored.partition(":")
    return os.fsencode(os.environ.get(rest, "")) if form == "env" else rest.encode()


def key_problem(stored: str) -> str | None:
    """Return what is wrong with a key as configured, or None. Never shows it."""
    form, _, rest = stored.partition(":")
    if form == "env":
        if not _VARIABLE.fullmatch(rest):
            return "env: must name an environment variable"
        if rest not in os.environ:
            return f"environment variable {rest} is not set"
    elif form != "plain":
        return "must be env:NAME or plain:secret"
    if len(webhook_key(stored)) not in _KEY_OCTETS:
        few, many = _KEY_OCTETS[0], _KEY_OCTETS[-1]
        return f"the key must have {few} to {many} octets: openssl rand -hex 32"
    return None


def url_problem(url: str) -> str | None:
    """Return what is wrong with a URL as configured, or None. Never shows it.

    Numbers travel there: only this machine may be written to without TLS.
    """
    if len(url) > _MAX_URL_CHARS or not _URL.fullmatch(url):
        return f"must be a URL of up to {_MAX_URL_CHARS} visible ASCII characters"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "cannot be read as a URL"
    if "@" in parts.netloc or "#" in url:
        return "must hold neither a user, nor a password, nor a fragment"
    if parts.scheme not in ("https", "http") or not _HOST.fullmatch(host) or port == 0:
        return "must be https://host/path"
    if parts.scheme == "http" and not _is_this_machine(host):
        return "must be https://: only this machine may be told without TLS"
    return None


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
