"""Which messages that subscribers report did pass, as far as the records tell (R82)."""

import re
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

import orjson

from gateway.domain.msisdn import spellings_of
from gateway.domain.records import RecordProof, ReportedMessage
from gateway.domain.verdict import Action
from gateway.filter.campaigns import are_alike
from gateway.filter.fingerprints import Fingerprint, fingerprint_of, skeleton_of, sound_of_text
from gateway.kernel.fingerprint_loops import MIN_LETTERS
from gateway.records.archive import RecordArchive, hour_of, scan_hour, start_of
from gateway.records.sealed_values import Record, opened, stamp_of, text_of
from gateway.runtime.sealing import Sealer, SealError
from gateway.smpp.text import readings

# Of one search: hours, and octets of lines. A sealed file has some eight times its own in lines.
_MOST_HOURS = 168
_MOST_OCTETS = 1 << 30
_PACKED = 8
# Of one search: looks at whether a decision is the one reported. A comparison of texts is as many.
_MOST_LOOKS = 20_000_000
_LOOKS_PER_COMPARISON = 20
_MOST_UNLIKE = 100_000  # of an hour, texts that are known to be others
# Texts of an hour that are kept until a decision names them, and those that are read.
_MOST_TEXT_OCTETS = 64 << 20
_MOST_READ = 20_000

_DECISION, _TEXT = b'{"kind":"decision",', b'{"kind":"text",'
_ADDRESSES = re.compile(
    rb'"source(?:_sealed)?":"([^"]*)","destination(_sealed)?":"(([^":]*)[^"]*)"'
)
_TEXT_ID = re.compile(rb'"id":"([^"]*)"')
_STOPPED = frozenset({Action.REJECT, Action.THROTTLE})


class _ReportedText:
    """The text that a subscriber reports: like another, a part of it, or with little added."""

    def __init__(self, text: str) -> None:
        sound = sound_of_text(text)
        self._letters = skeleton_of(sound)
        self._print = fingerprint_of(sound)

    def is_like(self, texts: Iterable[tuple[Fingerprint, str]]) -> bool:
        """Tell whether one of `texts` is this; a few words cannot be told from others."""
        if self._print.signs is None:
            return True
        for one, letters in texts:
            # Most of it: who adds a text of its own to a message that did pass proves nothing.
            is_most = len(letters) >= MIN_LETTERS and 2 * len(letters) > len(self._letters)
            is_part = self._letters in letters or (is_most and letters in self._letters)
            if is_part or are_alike(one, self._print):
                return True
        return False


class _HourSearch:
    """What one hour tells of the messages that are looked for."""

    def __init__(
        self,
        wanted: Sequence[ReportedMessage],
        texts: dict[int, _ReportedText],
        sealer: Sealer | None,
        looks: int,
    ) -> None:
        self.looks = looks  # that are left
        self.passed: set[int] = set()
        self.is_read = True  # False where something in it could not be
        self._sealer = sealer
        self._reported = texts
        self._keys: dict[bytes, bool] = {}
        self._lines: dict[bytes, bytes] = {}
        self._line_octets = 0
        self._read: dict[bytes, list[tuple[Fingerprint, str]] | None] = {}
        self._by_address: defaultdict[bytes, list[ReportedMessage]] = defaultdict(list)
        self._by_port: list[ReportedMessage] = []
        self._unlike: set[tuple[str, int]] = set()
        self._times = {one.number: (stamp_of(one.since), stamp_of(one.until)) for one in wanted}
        for one in wanted:
            if one.msisdn is None:
                self._by_port.append(one)
                continue
            written = [spelling.encode() for spelling in spellings_of(one.msisdn)]
            if sealer is not None:
                written += (token.encode() for token in sealer.tokens_of(one.msisdn))
            for address in written:
                self._by_address[address].append(one)
        self._ports = tuple({one.port.encode() for one in self._by_port})

    def look(self, lines: Iterable[bytes]) -> None:
        """Look at lines in their order."""
        for line in lines:
            if line.startswith(_TEXT):
                self._keep_text(line)
            elif line.startswith(_DECISION) and (found := _ADDRESSES.search(line)) is not None:
                source, sealed, destination, key = found.groups()
                if sealed and not self._has_key(key):
                    self.is_read = False
                wanted = self._by_address.get(destination, ())
                if self._ports and source.startswith(self._ports):
                    wanted = (*wanted, *self._by_port)
                if wanted:
                    self._compare(line, source.decode("latin-1"), wanted)

    def _keep_text(self, line: bytes) -> None:
        name = _TEXT_ID.search(line)
        if name is not None and self._line_octets + len(line) <= _MOST_TEXT_OCTETS:
            self._line_octets += len(line)
            self._lines[name[1]] = line
            if self._read.pop(name[1], None) is not None:
                self._unlike.clear()

    def _has_key(self, key: bytes) -> bool:
        known = self._keys.get(key)
        if known is None:
            sealer = self._sealer
            known = sealer is not None and sealer.has_key_of(key.decode("latin-1"))
            self._keys[key] = known
        return known

    def _compare(self, line: bytes, source: str, wanted: Iterable[ReportedMessage]) -> None:
        try:
            record: Record = orjson.loads(line)
        except ValueError:
            self.is_read = False
            return
        if record.get("action") in _STOPPED:
            return
        at, text = str(record.get("at")), record.get("text")
        name = text if isinstance(text, str) else ""
        for one in wanted:
            if self.looks <= 0:
                self.is_read = False
                return
            self.looks -= 1
            since, until = self._times[one.number]
            is_it = source.startswith(one.port) and since <= at < until
            if not is_it or one.number in self.passed or (name, one.number) in self._unlike:
                continue
            self.looks -= _LOOKS_PER_COMPARISON
            said = self._texts_of(name)
            if said is None or self._reported[one.number].is_like(said):
                self.passed.add(one.number)
            elif len(self._unlike) < _MOST_UNLIKE:
                self._unlike.add((name, one.number))

    def _texts_of(self, name: str) -> list[tuple[Fingerprint, str]] | None:
        """Return how a text may read, None if that is not kept or cannot be known."""
        key = name.encode()
        if key not in self._read:
            if len(self._read) >= _MOST_READ:
                return None
            self._read[key] = self._texts_in(self._lines[key]) if key in self._lines else None
        return self._read[key]

    def _texts_in(self, line: bytes) -> list[tuple[Fingerprint, str]] | None:
        try:
            record = orjson.loads(line)
            said = text_of(record if self._sealer is None else opened(record, self._sealer))
        except (ValueError, SealError):
            return None
        if said is None:
            return None
        data_coding, octets = said
        sounds = [sound_of_text(text) for text in readings(octets, data_coding)]
        return [(fingerprint_of(sound), skeleton_of(sound)) for sound in sounds]


class PassedMessages:
    """Looks for reported messages in the records of a directory. Its method blocks."""

    def __init__(self, archive: RecordArchive, sealer: Sealer | None) -> None:
        self._archive = archive
        self._sealer = sealer
        self._is_stopped = False

    def stop(self) -> None:
        """Let a search end that another thread makes; what it has not read is unread."""
        self._is_stopped = True

    def search(self, reported: Sequence[ReportedMessage]) -> RecordProof:
        """Return which messages passed, and which may have: each hour is read once for all.

        A message passed if a decision that did not stop it names port and number within the time,
        and says the same as far as texts are kept; one without a number, if a message of its port
        does. At most `_MOST_HOURS` hours and `_MOST_OCTETS` are read, those of the shortest times
        first, then from the newest on, with `_MOST_LOOKS`; what is left is unread. Never raises.
        """
        texts = {one.number: _ReportedText(one.text) for one in reported}
        passed, unread = set[int](), set[int]()
        try:
            sizes = self._sizes()
        except OSError:
            sizes = {}
        first = start_of(min(sizes)) if sizes else None
        for one in reported:
            if first is None or one.since < first:
                unread.add(one.number)
        hours_left, octets_left, looks = _MOST_HOURS, _MOST_OCTETS, _MOST_LOOKS
        for hour, of_hour in _in_order(sizes, reported):
            wanted = [one for one in of_hour if one.number not in passed]
            if not wanted:
                continue
            search = _HourSearch(wanted, texts, self._sealer, looks)
            is_read = False
            if hours_left and looks > 0 and sizes[hour] <= octets_left:
                hours_left, octets_left = hours_left - 1, octets_left - sizes[hour]
                is_read = self._read(hour, search)
                looks = search.looks
            passed |= search.passed
            if not is_read:
                unread.update(one.number for one in wanted)
        return RecordProof(frozenset(passed), frozenset(unread - passed))

    def _sizes(self) -> dict[int, int]:
        """Return about how many octets the lines of each hour are, by hour."""
        sizes: defaultdict[int, int] = defaultdict(int)
        for file in self._archive.files():
            try:
                octets = file.path.stat().st_size
            except FileNotFoundError:  # sealed meanwhile
                octets = 0
            sizes[file.hour] += octets * (_PACKED if file.is_sealed else 1)
        return sizes

    def _read(self, hour: int, search: _HourSearch) -> bool:
        try:
            for block in scan_hour(self._archive, hour, lambda _octets: None):
                if self._is_stopped:
                    return False
                search.look(block.lines)
        except (OSError, EOFError, ValueError, zlib.error):
            return False
        return search.is_read


def _in_order(
    hours: Collection[int], reported: Sequence[ReportedMessage]
) -> list[tuple[int, list[ReportedMessage]]]:
    """Return the hours in the order in which they are read, each with what is looked for in it."""
    wanted: defaultdict[int, list[ReportedMessage]] = defaultdict(list)
    shortest: dict[int, timedelta] = {}
    for one in reported:
        length = one.until - one.since
        for hour in range(hour_of(one.since), hour_of(one.until) + 1):
            if hour in hours:
                wanted[hour].append(one)
                shortest[hour] = min(shortest.get(hour, length), length)
    return sorted(wanted.items(), key=lambda item: (shortest[item[0]], -item[0]))
