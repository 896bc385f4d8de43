"""Pick the records that a legal hold keeps, or a person asks for. Pure: records in and out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.runtime.sealed_records import Record, Subscriber
from gateway.runtime.sealing import Sealer

# Links an outcome to its request: session and sequence_number.
_Joint = tuple[object, object]
_REQUESTS = frozenset({"decision", "delivery", "operation"})


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
        self._joints: set[_Joint] = set()
        self._joints_before: set[_Joint] = set()

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
        joint = (record.get("session"), record.get("sequence_number"))
        if record.get("kind") == "outcome" and (
            joint in self._joints or joint in self._joints_before
        ):
            return True
        is_picked = any(scope.has(record) for scope in self._scopes)
        if is_picked and record.get("kind") in _REQUESTS:
            self._joints.add(joint)
        return is_picked


class _ScopeFilter:
    """A scope prepared for checking record by record."""

    def __init__(self, scope: RecordScope, sealer: Sealer | None, *, in_doubt: bool) -> None:
        self._since, self._until = _stamp(scope.since), _stamp(scope.until)
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


def _stamp(moment: datetime) -> str:
    """Return a moment in the format of records: these texts sort like times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
