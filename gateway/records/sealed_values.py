"""Records at rest: which of their values are sealed, and how they are found and opened again.

Pure: records in, records out. A sealed value stands under its name and ``_sealed``, so that
no peer can pass a value of its own for one.
"""

import re
from collections.abc import Mapping

import orjson

from gateway.domain.msisdn import is_mobile, msisdn_of
from gateway.domain.verdict import Reason
from gateway.runtime.masking import WHOLE_KEYS
from gateway.runtime.sealing import Sealer, SealError

Record = Mapping[str, object]

SEALED = "_sealed"
_SEALED_JSON = "_sealed_json"
# A source that is a port of its sender is no subscriber. What was refused for one of these
# may have carried anything.
UNPROVEN = frozenset({Reason.SENDER_STATE, Reason.SOURCE_NOT_OWNED, Reason.MALFORMED})
_NEVER_A_NUMBER = WHOLE_KEYS | {"kind", "at"}
_DIGITS = re.compile(r"[0-9]{8}")
# YYMMDDhhmm, with seconds, or with the century: none has the 11 or 13 digits of a number.
_DATE = re.compile(r"[0-9]{10}|[0-9]{12}|[0-9]{14}")
# What a delivery says besides who it is from: whole where it is no subject.
OF_RECEIPTS = ("destination", "stat", "err", "submitted", "done")
_SUBJECTS = {
    "decision": ("destination",),
    "delivery": ("source",),
    "operation": ("source", "destination"),
    "outcome": (),
    "text": ("octets",),
    "malformed": ("row",),
}


def sealed(record: Record, sealer: Sealer) -> dict[str, object]:
    """Return `record` with subscribers' numbers and texts sealed; the rest as it is (R73)."""
    names = subjects_of(record)
    shown: dict[str, object] = {}
    for name, value in record.items():
        if name not in names:
            shown[name] = value
        elif isinstance(value, str):
            shown[name + SEALED] = sealer.seal(value.encode())
        else:
            shown[name + _SEALED_JSON] = sealer.seal(orjson.dumps(value))
    return shown


def opened(record: Record, sealer: Sealer) -> dict[str, object]:
    """Return `record` as it was before it was sealed; one that was not comes back as it is.

    Raises SealError when a key is missing or a value was changed.
    """
    shown: dict[str, object] = {}
    for name, value in record.items():
        if name.endswith(SEALED):
            shown[name.removesuffix(SEALED)] = _opened(sealer, value).decode()
        elif name.endswith(_SEALED_JSON):
            shown[name.removesuffix(_SEALED_JSON)] = orjson.loads(_opened(sealer, value))
        else:
            shown[name] = value
    return shown


def is_sealed(record: Record) -> bool:
    """Tell whether any value of `record` is sealed."""
    return any(name.endswith((SEALED, _SEALED_JSON)) for name in record)


class Subscriber:
    """One subscriber as records may name it: plain in the open hour, sealed in others."""

    def __init__(self, msisdn: int, sealer: Sealer | None) -> None:
        self._msisdn = msisdn
        self._sealer = sealer
        self._tokens = frozenset() if sealer is None else sealer.tokens_of(msisdn)

    def is_named_in(self, record: Record, *, in_doubt: bool = False) -> bool:
        """Tell whether `record` names this subscriber; `in_doubt` where its key is missing."""
        return any(self._is_meant(name, value, in_doubt=in_doubt) for name, value in record.items())

    def _is_meant(self, name: str, value: object, *, in_doubt: bool) -> bool:
        if not isinstance(value, str) or name in _NEVER_A_NUMBER:
            return False
        if name.endswith(SEALED):
            return value in self._tokens or (in_doubt and not self._has_key_of(value))
        if name.endswith(_SEALED_JSON):
            return in_doubt
        return msisdn_of(value.encode("latin-1", "replace")) == self._msisdn

    def _has_key_of(self, token: str) -> bool:
        return self._sealer is not None and self._sealer.has_key_of(token)


def subjects_of(record: Record) -> frozenset[str] | tuple[str, ...]:
    """Return the names of the values that may not stay in the open."""
    kind = record.get("kind")
    names = _SUBJECTS.get(kind) if isinstance(kind, str) else None
    if names is None:
        return frozenset(name for name, value in record.items() if _may_be_number(name, value))
    if kind == "decision" and record.get("reason") in UNPROVEN:
        return (*names, "source")
    if kind == "delivery":
        return (*names, *(name for name in OF_RECEIPTS if _may_be_written_in(name, record)))
    return names


def _may_be_written_in(name: str, record: Record) -> bool:
    """Tell whether what a peer delivered under `name` may be a subscriber's number.

    A destination is a port, unless one person writes to another.
    """
    value = record.get(name)
    if not isinstance(value, str):
        return value is not None
    if name == "destination":
        return is_mobile(value.encode("latin-1", "replace"))
    return _DIGITS.search(value) is not None and _DATE.fullmatch(value) is None


def _may_be_number(name: str, value: object) -> bool:
    """Tell whether a rare event's value may hold a subscriber's number: any that is as long."""
    if name in _NEVER_A_NUMBER:
        return False
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return _DIGITS.search(text) is not None


def _opened(sealer: Sealer, value: object) -> bytes:
    if not isinstance(value, str):
        raise SealError("no sealed value")
    return sealer.open(value)
