"""Keeps subscribers' numbers, message texts and secrets out of every log line."""

import re
import sys
import traceback
from collections.abc import Mapping
from itertools import islice
from pathlib import PurePath

from structlog.typing import EventDict, WrappedLogger

from gateway.domain.msisdn import masked

# Dropped whole, wherever they stand.
SECRET_KEYS = frozenset(
    {
        "text",
        "short_message",
        "message_payload",
        "body",
        "pdu",
        "password",
        "secret",
        "token",
    }
)

# Our own or the peer's names for things, never a subscriber: an operator searches for them.
WHOLE_KEYS = frozenset(
    {
        "active",
        "campaign",
        "digest",
        "gateway_id",
        "message_id",
        "messages",
        "octets",
        "path",
        "port",
        "rows",
        "shadow",
        "smsc_message_id",
        "system_id",
    }
)

_NUMBER = re.compile(r"\d{8,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_CHARACTERS = 400
_MAX_ITEMS = 20
_MAX_DEPTH = 4
_MAX_FRAMES = 12
_EIGHT_DIGITS = 10_000_000


def masked_text(text: str) -> str:
    """Return `text` with every run of eight or more digits masked (138****8000)."""
    return _NUMBER.sub(lambda found: masked(found.group()), text)


def mask_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop secret keys and mask every value; a structlog processor.

    Values under WHOLE_KEYS stay whole. All is cut to a bounded size.
    """
    clean: EventDict = {}
    for key, value in event.items():
        if key not in SECRET_KEYS:
            clean[masked_text(_words(key))] = (
                _whole(value) if key in WHOLE_KEYS else _clean(value, 0)
            )
    return clean


def describe_error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the error's type and place; a structlog processor.

    Only the system's errors and this package's own speak for themselves: the words of any
    other may quote the value that caused it, and that may be a message text.
    """
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is None:
        return event
    event["error"] = type(error).__qualname__
    if isinstance(error, OSError) or type(error).__module__.startswith("gateway."):
        event["said"] = str(error)
    if error.__cause__ is not None:
        event["cause"] = type(error.__cause__).__qualname__
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    event["frames"] = [f"{_place(f.filename)}:{f.lineno} {f.name}" for f in frames]
    return event


def _place(filename: str) -> str:
    return "/".join(PurePath(filename).parts[-2:])


def _whole(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    return _cut(_words(value))


def _clean(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        # Rounded: the tail of a float is a run of digits too.
        short = value if isinstance(value, int) else round(value, 3)
        return masked_text(f"{value:.0f}") if abs(value) >= _EIGHT_DIGITS else short
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return {
            _cut(masked_text(_words(key))): _clean(item, depth + 1)
            for key, item in islice(value.items(), _MAX_ITEMS)
            if key not in SECRET_KEYS
        }
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_clean(item, depth + 1) for item in islice(value, _MAX_ITEMS)]
    return _cut(masked_text(_words(value)))


def _words(value: object) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes | bytearray) else str(value)
    # orjson refuses lone surrogates, which file names and hostile names may hold. Control
    # characters would steer an operator's terminal; as JSON escapes they add digits besides.
    return _CONTROL.sub("?", text.encode("utf-8", "replace").decode())


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else text[:_MAX_CHARACTERS] + "…"
