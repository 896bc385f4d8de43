"""Tokens in files: a digest of one, or the environment variable that holds it."""

import os
import re
from hashlib import sha256
from typing import Annotated

from pydantic import AfterValidator

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
