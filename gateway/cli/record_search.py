"""`smsward records show`: the last records, of all or of those that are looked for."""

import asyncio
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.cli.explain_labels import print_findings
from gateway.domain.msisdn import is_mobile
from gateway.records.archive import RecordArchive, start_of, words_of
from gateway.records.masked_records import record_cells, shown_record
from gateway.records.sealed_values import REQUESTS, Joint, Record, joint_of, stamp_of, subjects_of
from gateway.records.writer import read_records
from gateway.runtime.sealing import SealError
from gateway.terminal.arguments import moment_of, reason_of
from gateway.terminal.deployment import load_settings, require_sender
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import RecordQuery, UnmaskOptions
from gateway.terminal.screen import (
    console,
    print_json_line,
    print_table,
    progress_bar,
    say,
    visible,
    warn,
)
from gateway.terminal.store import cannot_open, journal_access, sealer_at_hand, sealer_of

_MAX_SHOWN = 100_000
_MOST_HOURS = 48  # with records, of a search that is not told when to begin
# Ten columns of usual width stand side by side from here on.
_WIDE_COLUMNS = 150
_WIDE = ("at (UTC)", "SP", "what", "why", "rule", "status", "from", "to", "id", "µs")
_NARROW = ("at (UTC)\nSP, what", "why, rule\nfrom → to", "id\nstatus, µs")
_IDS = ("message_id", "gateway_id")
_ADDRESSES = ("source", "destination", "port")
_EARLIEST, _LATEST = "", "~"  # before and after every time as records have it


def show_records(
    place: Path,
    query: RecordQuery,
    unmasking: UnmaskOptions,
    config: Path | None,
    *,
    as_json: bool,
) -> int:
    """Print the last records below `place` that fit `query`; return the exit code."""
    _refuse_unsound(query)
    reason = reason_of(unmasking)
    sources, is_cut = _sources(place, query)
    if reason is None:
        sealer = sealer_at_hand(config)
    else:
        settings = load_settings(config)
        sealer = sealer_of(settings)
        about = f"{place}, {_described(query)}"
        asyncio.run(journal_access(settings, "records show", reason, about))
    found = RecordSearch(query).last_of(sources)
    try:
        records = [shown_record(one, sealer, is_whole=reason is not None) for one in found]
    except SealError as error:
        raise cannot_open(error) from error
    if not records:
        require_sender(query.sender, config)
    _print(records, query, as_json=as_json)
    if is_cut and len(records) < query.limit:
        warn(f"only the last {_MOST_HOURS} hours were read: --from TIME goes further back")
    return ExitCode.FINE


def _print(records: Sequence[Record], query: RecordQuery, *, as_json: bool) -> None:
    if as_json:
        for record in records:
            print_json_line(record)
    elif records:
        print_records(records)
        if query.message_id is not None:
            print_findings(records)
    else:
        say("no such records" if _is_narrow(query) else "no records")


def _refuse_unsound(query: RecordQuery) -> None:
    """Raise CommandError for a query that can find nothing, or what it must not."""
    if not 1 <= query.limit <= _MAX_SHOWN:
        raise misused(f"--limit: 1 to {_MAX_SHOWN}")
    if "" in {query.message_id, query.sender, query.port}:
        raise misused("--message-id, --sender and --port: must not be empty")
    if query.port is not None and is_mobile(query.port.encode("utf-8", "replace")):
        raise misused(
            "--port: that is a person's number and no port",
            "`smsward records export --number` finds what concerns a subscriber",
        )
    if None not in (query.since, query.until) and _begin(query) >= _end(query):
        raise misused("--to: must be later than --from")


def _begin(query: RecordQuery) -> str:
    return _EARLIEST if query.since is None else stamp_of(moment_of(query.since))


def _end(query: RecordQuery) -> str:
    return _LATEST if query.until is None else stamp_of(moment_of(query.until))


def _is_narrow(query: RecordQuery) -> bool:
    """Tell whether not all records are meant."""
    said = (query.message_id, query.sender, query.port, query.since, query.until)
    return any(one is not None for one in said)


def _described(query: RecordQuery) -> str:
    named = {
        "message": query.message_id,
        "sender": query.sender,
        "port": query.port,
        "from": query.since and _begin(query),
        "to": query.until and _end(query),
    }
    said = [f"{name} {visible(value)}" for name, value in named.items() if value]
    return ", ".join([f"the last {query.limit}", *said])


@dataclass(frozen=True, slots=True)
class RecordSource:
    """One hour's records, or one file's: what they are called, and how they are read."""

    name: str
    read: Callable[[], Iterator[Record]]


def _sources(place: Path, query: RecordQuery) -> tuple[list[RecordSource], bool]:
    """Return what is to be read, oldest first, and whether there is more before it."""
    if place.is_dir():
        archive = RecordArchive(place)
        begin, end = _begin(query), _end(query)
        hours = [
            hour
            for hour in archive.hours()
            if begin < stamp_of(start_of(hour + 1)) and stamp_of(start_of(hour)) < end
        ]
        is_cut = _is_narrow(query) and query.since is None and len(hours) > _MOST_HOURS
        meant = hours[-_MOST_HOURS:] if is_cut else hours
        return [RecordSource(str(place), partial(archive.read, hour)) for hour in meant], is_cut
    if not place.is_file():
        raise misused(f"there is no file or directory {place}", "gateway.yaml names it: records")
    return [RecordSource(str(place), partial(read_records, place))], False


class RecordSearch:
    """Finds the last records that fit a query.

    A search by id or port also returns the request and the outcome of each record that fits. It
    compares only what every reader may see, so that masked numbers cannot be found by guessing.
    """

    def __init__(self, query: RecordQuery) -> None:
        self._query = query
        self._begin, self._end = _begin(query), _end(query)
        self._is_narrow = _is_narrow(query)
        port = (query.port or "").removeprefix("+")
        self._port, self._is_beginning = port.removesuffix("*"), port.endswith("*")
        self._wants_joined = bool(query.message_id or query.port)

    def last_of(self, sources: Sequence[RecordSource]) -> list[Record]:
        """Return the last records of `sources`, read from the newest back."""
        found: list[Record] = []
        wanted: set[Joint] = set()  # requests that may stand at the end of the hour before
        with progress_bar() as progress:
            for source in progress.track(sources[::-1], description="looking through"):
                last = self._read(source, self._query.limit - len(found), wanted)
                found[:0] = last
                if len(found) >= self._query.limit:
                    break
                requests = {joint_of(one) for one in last if one.get("kind") in REQUESTS}
                outcomes = {joint_of(one) for one in last if one.get("kind") == "outcome"}
                wanted = outcomes - requests if self._wants_joined else set()
        return found

    def _read(self, source: RecordSource, room: int, wanted: set[Joint]) -> list[Record]:
        """Return the last `room` records of one source that fit, or belong to one that does."""
        try:
            found = deque(filter(self._fits, _records_of(source)), maxlen=room)
            if self._wants_joined and (found or wanted):
                joints = {joint_of(one) for one in found if _is_joined(one)} | wanted
                found = deque(
                    (
                        one
                        for one in _records_of(source)
                        if (_is_joined(one) and joint_of(one) in joints) or self._fits(one)
                    ),
                    maxlen=room,
                )
        except (OSError, EOFError, zlib.error) as error:
            raise CommandError(f"{source.name} cannot be read: {words_of(error)}") from error
        except ValueError as error:
            raise _no_records(source.name) from error
        return list(found)

    def _fits(self, record: Record) -> bool:
        if not self._is_narrow:
            return True
        query, at = self._query, record.get("at")
        return (
            isinstance(at, str)
            and self._begin <= at < self._end
            and (query.sender is None or record.get("system_id") == query.sender)
            and (query.message_id is None or self._names_id(record))
            and (query.port is None or self._names_port(record))
        )

    def _names_id(self, record: Record) -> bool:
        return any(str(record.get(name) or "") == self._query.message_id for name in _IDS)

    def _names_port(self, record: Record) -> bool:
        names = [name for name in _ADDRESSES if self._is_port(record.get(name))]
        hidden = subjects_of(record) if names else ()
        return any(name not in hidden for name in names)

    def _is_port(self, value: object) -> bool:
        if not isinstance(value, str):
            return False
        address = value.removeprefix("+")
        return address.startswith(self._port) if self._is_beginning else address == self._port


def _records_of(source: RecordSource) -> Iterator[Record]:
    """Yield the records of a source. Raises CommandError for JSON that is not a record."""
    for record in source.read():
        if not isinstance(record, dict):
            raise _no_records(source.name)
        yield record


def _is_joined(record: Record) -> bool:
    return record.get("kind") == "outcome" or record.get("kind") in REQUESTS


def _no_records(name: str) -> CommandError:
    return CommandError(
        f"{name} is no file of records", advice="each line must be one record in JSON"
    )


def print_records(records: Iterable[Record]) -> None:
    """Print one line for each record, or two where the screen is too narrow for one."""
    if console().width >= _WIDE_COLUMNS:
        print_table(_WIDE, map(record_cells, records))
    else:
        print_table(_NARROW, map(_narrow_row, records))


def _narrow_row(record: Record) -> tuple[tuple[str, str], ...]:
    cells = record_cells(record)
    at, system_id, what, why, rule, status, source, destination, message_id, us = cells
    return (
        (at, f"{system_id} {what}"),
        (f"{why} {rule}", f"{source} → {destination}" if source or destination else ""),
        (message_id, f"{status} {us} µs" if us else status),
    )
