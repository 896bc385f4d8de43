"""Recorded decisions, read in blocks in a process beside the one that judges them."""

import gc
import os
import signal
import zlib
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from enum import StrEnum
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple, TypeAlias

import orjson

from gateway.domain.verdict import Action
from gateway.filter.scan import CodedText
from gateway.records.archive import FileLines, RecordArchive, scan_hour, size_of, words_of
from gateway.records.sealed_values import opened
from gateway.runtime.sealing import Keys, Sealer, SealError

# Every line that the gateway writes begins with its kind; other lines are parsed to find it.
_NO_DECISIONS = (b'{"kind":"outcome",', b'{"kind":"delivery",')
_DECISION = b'{"kind":"decision",'
_TEXT = b'{"kind":"text",'
_MALFORMED = b'{"kind":"malformed",'
_KIND = b'{"kind":"'

SHADOW = "shadow"  # a message that passed although a rule in shadow had a finding
_PASSING = frozenset({Action.FORWARD.value, SHADOW})
_ACTIONS = frozenset({SHADOW, *Action})
_MAX_ADDRESS = 64  # octets, without the NUL (SMPP 3.4, 4.7.1)
_MAX_NAME = 256
_COUNTED_TIMES = range(1, 2**32)  # what frequency counters can tell apart
_MAX_HEADS = 4096
_MAX_OPENED = 1 << 17  # of about 200 octets each

# As gateway.records.lines forgets texts: it does not refer to an older text again.
_GENERATION_OCTETS = 16 << 20
_TEXT_ENTRY_OCTETS = 200


class UnchangedReason(StrEnum):
    """Why the verdict of a record stays as it was."""

    MALFORMED = "malformed"
    KEY_MISSING = "key_missing"
    SENDER_GONE = "sender_gone"
    OF_THE_MOMENT = "of_the_moment"
    TEXT_NOT_KEPT = "text_not_kept"
    SAME_POLICY = "same_policy"


class ReplayOutcome(NamedTuple):
    """What was done, or would be done, with a message, and the deciding rule, "" for none.

    `action` is a value of Action, or SHADOW.
    """

    action: str
    rule: str

    @property
    def passes(self) -> bool:
        """Tell whether the subscriber gets the message."""
        return self.action in _PASSING


class DecisionHead(NamedTuple):
    """The fields that many decisions share."""

    system_id: str
    command_id: int
    reason: str
    digest: str
    recorded: ReplayOutcome


class Decision(NamedTuple):
    """One recorded decision, on the line `number` of its file.

    `stamp` is its time as written, `at` in epoch seconds. `text` is None where none was kept.
    """

    number: int
    at: float
    stamp: str
    head: DecisionHead
    source: bytes
    destination: bytes
    text: CodedText | None


class DecisionReader:
    """Reads decisions, hour after hour, with bounded memory. For one thread."""

    def __init__(self, sealer: Sealer | None) -> None:
        self._sealer = sealer
        self._texts: dict[str, CodedText] = {}
        self._texts_before: dict[str, CodedText] = {}
        self._text_octets = 0
        self._numbers: dict[str, bytes] = {}
        self._heads: dict[tuple[object, ...], DecisionHead] = {}
        self._stamp, self._at = "", 0.0

    def begin_hour(self) -> None:
        """Forget the texts: each hour refers only to its own."""
        self._texts, self._texts_before = {}, {}
        self._text_octets = 0

    def read(self, first: int, lines: Sequence[bytes]) -> Iterator[Decision | UnchangedReason]:
        """Yield the decisions in `lines`; `first` is the number of the first line.

        For a line that cannot be read and may be a decision it yields a Kept.
        """
        for number, line in enumerate(lines, first):
            if line.startswith(_NO_DECISIONS):
                continue
            if line.startswith(_DECISION):
                yield self._decision_of(number, line)
            elif not line.startswith(_KIND) or line.startswith((_TEXT, _MALFORMED)):
                found = self._other(number, line)
                if found is not None:
                    yield found

    def _decision_of(self, number: int, line: bytes) -> Decision | UnchangedReason:
        try:
            return self._decision(number, orjson.loads(line))
        except SealError:
            return UnchangedReason.KEY_MISSING
        except (ValueError, TypeError, KeyError):
            return UnchangedReason.MALFORMED

    def _other(self, number: int, line: bytes) -> Decision | UnchangedReason | None:
        """Handle a text, a malformed line, or a line that does not begin with its kind."""
        try:
            record = orjson.loads(line)
            kind = record["kind"]
            if kind == "decision":
                return self._decision(number, record)
            if kind == "text":
                self._keep_text(record)
        except SealError:
            return None  # decisions that refer to it then have no text
        except (ValueError, TypeError, KeyError):
            return UnchangedReason.MALFORMED
        return UnchangedReason.MALFORMED if kind == "malformed" else None

    def _decision(self, number: int, record: dict[str, object]) -> Decision:
        """Return the decision. Raises ValueError, TypeError, KeyError or SealError."""
        stamp = _string(record["at"])
        at = self._at if stamp == self._stamp else self._time_of(stamp)
        said = (
            record["system_id"],
            record["command_id"],
            record["action"],
            record["reason"],
            record["rule"],
            record["digest"],
        )
        head = self._heads.get(said) or self._sound(said)
        source = self._address(record, "source")
        destination = self._address(record, "destination")
        name, text = record.get("text"), None
        if isinstance(name, str):
            text = self._texts.get(name) or self._texts_before.get(name)
        elif name is not None:
            raise TypeError("no name of a text")
        return Decision(number, at, stamp, head, source, destination, text)

    def _sound(self, said: tuple[object, ...]) -> DecisionHead:
        """Check the fields that repeat from record to record, once: this saves half the time."""
        system_id, command_id, action, reason, rule, digest = said
        if not isinstance(command_id, int) or action not in _ACTIONS:
            raise ValueError("no decision")
        head = DecisionHead(
            _string(system_id),
            command_id,
            _string(reason),
            _string(digest),
            ReplayOutcome(_string(action), _string(rule)),
        )
        if len(self._heads) >= _MAX_HEADS:
            self._heads.clear()
        self._heads[said] = head
        return head

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
        """Open a sealed number; cached, because numbers repeat and opening costs 10 us."""
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


class HourUnreadableError(Exception):
    """The records of `hour`, since 1970, cannot be read; the words are for people."""

    def __init__(self, hour: int, why: str) -> None:
        super().__init__(why)
        self.hour = hour


class Block(NamedTuple):
    """What stands in some lines of one file: decisions in their order, and how many are Kept.

    `octets` is how many of the disk it took to read them.
    """

    hour: int
    file: str
    lines: int
    octets: int
    decisions: list[Decision]
    kept: dict[UnchangedReason, int]


# Reads hours in their order. Raises HourUnreadableError.
Read: TypeAlias = Callable[[Iterable[int]], Iterator[Block]]


class BlockReader:
    """Reads the records of an archive; `keys` open what is sealed."""

    def __init__(self, archive: RecordArchive, keys: Keys | None) -> None:
        self._archive = archive
        self._reader = DecisionReader(None if keys is None else Sealer(keys.by_id, keys.current))

    def read(self, hours: Iterable[int]) -> Iterator[Block]:
        """Yield the blocks of `hours`. Raises HourUnreadableError."""
        for hour in hours:
            self._reader.begin_hour()
            octets: list[int] = []
            for lines in self._scanned(hour, octets.append):
                yield self._block(hour, lines, sum(octets))
                octets.clear()

    def _scanned(self, hour: int, told: Callable[[int], object]) -> Iterator[FileLines]:
        try:
            yield from scan_hour(self._archive, hour, told)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise HourUnreadableError(hour, words_of(error)) from error

    def _block(self, hour: int, lines: FileLines, octets: int) -> Block:
        decisions: list[Decision] = []
        kept: Counter[UnchangedReason] = Counter()
        for found in self._reader.read(lines.first, lines.lines):
            if isinstance(found, UnchangedReason):
                kept[found] += 1
            else:
                decisions.append(found)
        return Block(hour, lines.path.name, len(lines.lines), octets, decisions, kept)


# Below that a process takes longer to start than to read them.
_WORTH_OCTETS = 16 << 20


class ReaderLostError(Exception):
    """The process that read the records has ended before they did; the words are for people."""


@contextmanager
def reading(archive: RecordArchive, keys: Keys | None) -> Iterator[Read]:
    """Give what reads the records of `archive`: beside this process if that is worth it."""
    hours = archive.hours()
    octets = size_of(archive, hours[0], hours[-1]) if hours else 0
    if octets < _WORTH_OCTETS or _cores() == 1:
        yield BlockReader(archive, keys).read
        return
    with reading_beside(archive, keys) as read:
        yield read


@contextmanager
def reading_beside(archive: RecordArchive, keys: Keys | None) -> Iterator[Read]:
    """Start a process that reads, and end it. It is never more than a block or two ahead.

    What `read` raises besides HourUnreadableError is ReaderLostError. It may be called once.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, archive, keys), daemon=True)
    with _unheard_interrupt():
        process.start()
    theirs.close()

    def read(hours: Iterable[int]) -> Iterator[Block]:
        try:
            ours.send(list(hours))
            yield from _received(ours)
        except (EOFError, OSError) as error:
            process.join()
            raise ReaderLostError(f"its exit code is {process.exitcode}") from error

    try:
        yield read
    finally:
        ours.close()
        process.terminate()
        process.join()


def _cores() -> int:
    """Return how many cores this process may run on, as far as the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _received(pipe: Connection) -> Iterator[Block]:
    while True:
        match pipe.recv():
            case Block() as block, list(decisions):
                # Decision._make takes twice as long.
                yield block._replace(decisions=[tuple.__new__(Decision, one) for one in decisions])
            case int(hour), str(why):
                raise HourUnreadableError(hour, why)
            case _:
                return


def _serve(pipe: Connection, archive: RecordArchive, keys: Keys | None) -> None:
    """Send what `reading_beside` receives, as long as it does."""
    reader = BlockReader(archive, keys)
    gc.freeze()
    with suppress(EOFError, ConnectionError):
        try:
            for block in reader.read(pipe.recv()):
                # To pickle plain tuples takes a fifth of the time.
                pipe.send((block._replace(decisions=[]), list(map(tuple, block.decisions))))
        except HourUnreadableError as error:
            pipe.send((error.hour, str(error)))
        else:
            pipe.send(None)


@contextmanager
def _unheard_interrupt() -> Iterator[None]:
    """Let what is started meanwhile not hear Ctrl-C: it ends with the process that started it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
