"""From lines of records to the decisions that stand in them, fast, and sealed ones too."""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

import orjson

from gateway.domain.verdict import Action
from gateway.filter.text_memory import CodedText
from gateway.runtime.sealed_records import opened
from gateway.runtime.sealing import Sealer, SealError

# Every line the gateway writes begins with its kind; what begins otherwise is looked at.
_NO_DECISIONS = (b'{"kind":"outcome",', b'{"kind":"delivery",')
_DECISION = b'{"kind":"decision",'
_TEXT = b'{"kind":"text",'
_MALFORMED = b'{"kind":"malformed",'
_KIND = b'{"kind":"'

_SHADOW = "shadow"
_ACTIONS = frozenset({_SHADOW, *Action})
_MAX_ADDRESS = 64  # octets, without the NUL (SMPP 3.4, 4.7.1)
_MAX_NAME = 256
_COUNTED_TIMES = range(1, 2**32)  # what frequency counters can tell apart
_MAX_HEADS = 4096
_MAX_OPENED = 1 << 17  # of about 200 octets each

# As gateway.runtime.record_lines forgets texts: it names none of those before that again.
_GENERATION_OCTETS = 16 << 20
_TEXT_ENTRY_OCTETS = 200


# system_id, command_id, action, reason, rule, digest.
_Head = tuple[str, int, str, str, str, str]


class Kept(StrEnum):
    """Why the verdict of a record stays as it was."""

    MALFORMED = "malformed"
    KEY_MISSING = "key_missing"
    SENDER_GONE = "sender_gone"
    OF_THE_MOMENT = "of_the_moment"
    TEXT_NOT_KEPT = "text_not_kept"
    SAME_POLICY = "same_policy"


class Decision:
    """One recorded decision; made per record, so a plain slots class.

    `action` is a value of Action, or "shadow" for what passed although rules on trial were
    against it. `stamp` is its time as written, `at` in epoch seconds. `text` is None where
    none was kept.
    """

    __slots__ = (
        "action",
        "at",
        "command_id",
        "destination",
        "digest",
        "reason",
        "rule",
        "source",
        "stamp",
        "system_id",
        "text",
    )

    at: float
    stamp: str
    system_id: str
    command_id: int
    source: bytes
    destination: bytes
    action: str
    reason: str
    rule: str
    digest: str
    text: CodedText | None


class DecisionReader:
    """Reads decisions, hour after hour; what it remembers is bounded. For one thread."""

    def __init__(self, sealer: Sealer | None) -> None:
        self.lines = 0
        self._sealer = sealer
        self._texts: dict[str, CodedText] = {}
        self._texts_before: dict[str, CodedText] = {}
        self._text_octets = 0
        self._numbers: dict[str, bytes] = {}
        self._heads: dict[tuple[object, ...], _Head] = {}
        self._stamp, self._at = "", 0.0

    def begin_hour(self) -> None:
        """Forget the texts: each hour names its own."""
        self._texts, self._texts_before = {}, {}
        self._text_octets = 0

    def read(self, first: int, lines: Sequence[bytes]) -> Iterator[tuple[int, Decision | Kept]]:
        """Yield the decisions among `lines` with their line numbers, the first being `first`.

        What cannot be read is Kept, where it may have been a decision.
        """
        self.lines += len(lines)
        for number, line in enumerate(lines, first):
            if line.startswith(_NO_DECISIONS):
                continue
            if line.startswith(_DECISION):
                yield number, self._decision_of(line)
            elif not line.startswith(_KIND) or line.startswith((_TEXT, _MALFORMED)):
                found = self._other(line)
                if found is not None:
                    yield number, found

    def _decision_of(self, line: bytes) -> Decision | Kept:
        try:
            return self._decision(orjson.loads(line))
        except SealError:
            return Kept.KEY_MISSING
        except (ValueError, TypeError, KeyError):
            return Kept.MALFORMED

    def _other(self, line: bytes) -> Decision | Kept | None:
        """Take a text, or what does not begin as the gateway begins its lines."""
        try:
            record = orjson.loads(line)
            kind = record["kind"]
            if kind == "decision":
                return self._decision(record)
            if kind == "text":
                self._keep_text(record)
        except SealError:
            return None  # the decisions that name it have no text then
        except (ValueError, TypeError, KeyError):
            return Kept.MALFORMED
        return Kept.MALFORMED if kind == "malformed" else None

    def _decision(self, record: dict[str, object]) -> Decision:
        """Return the decision. Raises ValueError, TypeError, KeyError or SealError."""
        one = Decision()
        one.stamp = stamp = _string(record["at"])
        one.at = self._at if stamp == self._stamp else self._time_of(stamp)
        head = (
            record["system_id"],
            record["command_id"],
            record["action"],
            record["reason"],
            record["rule"],
            record["digest"],
        )
        one.system_id, one.command_id, one.action, one.reason, one.rule, one.digest = (
            self._heads.get(head) or self._sound(head)
        )
        one.source = self._address(record, "source")
        one.destination = self._address(record, "destination")
        name = record.get("text")
        one.text = None
        if isinstance(name, str):
            one.text = self._texts.get(name) or self._texts_before.get(name)
        elif name is not None:
            raise TypeError("no name of a text")
        return one

    def _sound(self, head: tuple[object, ...]) -> _Head:
        """Return what repeats from record to record, looked at once: it is half of the work."""
        system_id, command_id, action, reason, rule, digest = head
        if not isinstance(command_id, int) or action not in _ACTIONS:
            raise ValueError("no decision")
        sound = (
            _string(system_id),
            command_id,
            _string(action),
            _string(reason),
            _string(rule),
            _string(digest),
        )
        if len(self._heads) >= _MAX_HEADS:
            self._heads.clear()
        self._heads[head] = sound
        return sound

    def _time_of(self, stamp: str) -> float:
        moment = datetime.fromisoformat(stamp)
        if moment.tzinfo is None:
            raise ValueError(stamp)
        at = moment.timestamp()
        if int(at) not in _COUNTED_TIMES:
            raise ValueError(stamp)
        # One tick's rows share their time.
        self._stamp, self._at = stamp, at
        return at

    def _address(self, record: dict[str, object], name: str) -> bytes:
        plain = record.get(name)
        if isinstance(plain, str) and len(plain) <= _MAX_ADDRESS:
            return plain.encode("latin-1")  # as records write octets, one character each
        return self._opened(_string(record[f"{name}_sealed"]))

    def _opened(self, token: str) -> bytes:
        """Return a sealed number: campaigns write to the same ones, and opening costs 10 us."""
        number = self._numbers.get(token)
        if number is None:
            if self._sealer is None:
                raise SealError("there are no keys")
            number = self._sealer.open(token).decode().encode("latin-1")
            if len(self._numbers) >= _MAX_OPENED:
                self._numbers.clear()
            self._numbers[token] = number
        return number

    def _keep_text(self, record: dict[str, object]) -> None:
        if "octets" not in record:
            if self._sealer is None:
                raise SealError("there are no keys")
            record = opened(record, self._sealer)
        data_coding = record["data_coding"]
        if not isinstance(data_coding, int):
            raise TypeError(data_coding)
        octets = b64decode(str(record["octets"]), validate=True)
        size = len(octets) + _TEXT_ENTRY_OCTETS
        if self._text_octets + size > _GENERATION_OCTETS:
            self._texts_before, self._texts, self._text_octets = self._texts, {}, 0
        self._text_octets += size
        self._texts[_string(record["id"])] = (data_coding, octets)


def _string(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_NAME:
        raise TypeError("not a short string")
    return value
