"""Records at rest: which values are sealed, how they are opened, and how records are picked."""

import re
from binascii import a2b_base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

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
    "judged_again": (),
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


# Links an outcome to its request: session and sequence_number.
Joint = tuple[object, object]
REQUESTS = frozenset({"decision", "delivery", "operation"})


@dataclass(frozen=True, slots=True)
class RecordScope:
    """Records with ``since <= at < until``; of one SP, of one subscriber, or of all for None."""

    since: datetime
    until: datetime
    system_id: str | None = None
    msisdn: int | None = field(default=None, repr=False)

    def touches(self, since: datetime, until: datetime) -> bool:
        """Tell whether a record with ``since <= at < until`` may be in this scope."""
        return self.since < until and self.until > since


def joint_of(record: Record) -> Joint:
    """Return what a record of a request and that of its outcome have in common."""
    return record.get("session"), record.get("sequence_number")


class RecordPicker:
    """Picks records in any of `scopes`, hour after hour in order.

    An outcome is picked with its request, although it names no subscriber; so is the text that a
    decision or delivery names. `in_doubt` is the result for a record without a time, or with a
    number sealed with a missing key.
    """

    def __init__(
        self, scopes: Iterable[RecordScope], sealer: Sealer | None, *, in_doubt: bool
    ) -> None:
        self._scopes = [_ScopeFilter(scope, sealer, in_doubt=in_doubt) for scope in scopes]
        self._joints: set[Joint] = set()
        self._joints_before: set[Joint] = set()

    def picked(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records of one file that are in scope; call it once for each file."""
        # An answer may come in the hour after its request, hardly later.
        self._joints, self._joints_before = set(), self._joints
        texts: dict[object, Record] = {}
        for record in records:
            if record.get("kind") == "text":
                texts[record.get("id")] = record
            elif self._is_picked(record):
                text = texts.pop(record.get("text"), None)
                if text is not None:
                    yield text
                yield record

    def _is_picked(self, record: Record) -> bool:
        joint = joint_of(record)
        if record.get("kind") == "outcome" and (
            joint in self._joints or joint in self._joints_before
        ):
            return True
        is_picked = any(scope.has(record) for scope in self._scopes)
        if is_picked and record.get("kind") in REQUESTS:
            self._joints.add(joint)
        return is_picked


class _ScopeFilter:
    """A scope prepared for checking record by record."""

    def __init__(self, scope: RecordScope, sealer: Sealer | None, *, in_doubt: bool) -> None:
        self._since, self._until = stamp_of(scope.since), stamp_of(scope.until)
        self._system_id = scope.system_id
        self._in_doubt = in_doubt
        self._subscriber = None if scope.msisdn is None else Subscriber(scope.msisdn, sealer)

    def has(self, record: Record) -> bool:
        at = record.get("at")
        if not isinstance(at, str):
            return self._in_doubt or (self._system_id is None and self._subscriber is None)
        if not self._since <= at < self._until:
            return False
        if self._system_id is not None and record.get("system_id") != self._system_id:
            return False
        return self._subscriber is None or self._subscriber.is_named_in(
            record, in_doubt=self._in_doubt
        )


def stamp_of(moment: datetime) -> str:
    """Return a moment in the format of records: these texts sort like times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


# data_coding and octets, as dataplane.submit_request.SubmitRequest has them.
Text = tuple[int, bytes]


def text_of(record: Record) -> Text | None:
    """Return what an opened record of a text holds, None where that cannot be read."""
    data_coding, octets = record.get("data_coding"), record.get("octets")
    if not isinstance(data_coding, int) or not isinstance(octets, str):
        return None
    try:
        return data_coding, a2b_base64(octets.encode(), strict_mode=True)
    except ValueError:
        return None
