"""The signature (签名) of a text: the sender's name in 【】, before or after it."""

import re

_MAX_CHARS = 32
_MIN_CHARS = 2

# A byte order mark opens many UCS-2 texts; the others show as nothing either.
_AROUND = " \t\r\n\u3000\ufeff\u200b\u200c\u200d\u2060"
_NAME = rf"【([^【】]{{1,{2 * _MAX_CHARS}}})】"
_LEADING = re.compile(_NAME)
_TRAILING = re.compile(rf"{_NAME}\Z")


def signature_of(text: str) -> str | None:
    """Return the name in 【】 at the start of `text`, else at its end, as written.

    None if there is no name of 2 to 32 characters (R12). Square brackets are no signature.
    """
    stripped = text.strip(_AROUND)
    found = None
    if stripped.startswith("【"):
        found = _LEADING.match(stripped)
    if found is None and stripped.endswith("】"):
        found = _TRAILING.search(stripped, max(0, len(stripped) - 2 * _MAX_CHARS - 2))
    if found is None:
        return None
    name = found[1].strip(_AROUND)
    return name if _MIN_CHARS <= len(name) <= _MAX_CHARS else None
