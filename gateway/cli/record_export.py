"""The work of `smsward records show` and `export`: records as they may be seen."""

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from gateway.domain.msisdn import masked
from gateway.records.archive import RecordArchive, start_of
from gateway.records.files import read_records
from gateway.records.sealed_values import (
    OF_RECEIPTS,
    UNPROVEN,
    Record,
    RecordPicker,
    RecordScope,
    is_sealed,
    opened,
    subjects_of,
)
from gateway.runtime.masking import mask_values
from gateway.runtime.sealing import Sealer, SealError
from gateway.settings.gateway import GatewaySettings
from gateway.terminal.arguments import reason_of, scope_of
from gateway.terminal.deployment import load_settings
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import Period, UnmaskOptions
from gateway.terminal.screen import (
    console,
    counted,
    print_json,
    print_json_line,
    print_table,
    private_file,
    progress_bar,
    say,
    visible,
)
from gateway.terminal.store import cannot_open, journal_access, sealer_at_hand, sealer_of

# What may hold a subscriber's number stays masked; these cannot, however long they are.
_PLAIN = ("at", "session", "command_id", "sequence_number", "command_status", "latency_us")
_SPEAKING = frozenset({"decision", "delivery"})
_HIDDEN = "(sealed)"


@dataclass(frozen=True, slots=True)
class _RecordExport:
    archive: RecordArchive
    scope: RecordScope
    sealer: Sealer | None
    is_whole: bool

    def lines(self, hours: Iterator[int]) -> Iterator[str]:
        picker = RecordPicker([self.scope], self.sealer, in_doubt=False)
        for hour in hours:
            for record in picker.picked(self._read(hour)):
                shown = shown_record(record, self.sealer, is_whole=self.is_whole)
                yield orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE).decode()

    def _read(self, hour: int) -> Iterator[Record]:
        try:
            yield from self.archive.read(hour)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise CommandError(
                f"the records of {start_of(hour):%Y-%m-%d %H} UTC cannot be read: {why}"
            ) from error


def export_records(
    settings: GatewaySettings,
    period: Period,
    unmasking: UnmaskOptions,
    output: Path,
    *,
    as_json: bool,
) -> int:
    """Write the records that are meant into `output`; return the exit code."""
    scope, reason, sealer = scope_of(period), reason_of(unmasking), sealer_of(settings)
    archive = RecordArchive(settings.records.directory)
    hours = [
        hour
        for hour in (archive.hours() if archive.directory.is_dir() else [])
        if scope.touches(start_of(hour), start_of(hour + 1))
    ]
    if reason is not None:
        journal_access(settings, "records export", reason, _described(scope))
    export = _RecordExport(archive, scope, sealer, is_whole=reason is not None)
    written = 0
    try:
        with progress_bar() as progress, private_file(output, is_whole=reason is not None) as file:
            for line in export.lines(iter(progress.track(hours, description="exporting"))):
                file.write(line)
                written += 1
    except SealError as error:
        raise cannot_open(error) from error
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from error
    if as_json:
        print_json({"output": str(output), "records": written, "hours": len(hours)})
    else:
        told = f"{counted(written, 'record')} of {counted(len(hours), 'hour')}"
        say(f"written: {told} to {visible(str(output))}")
    return ExitCode.FINE


def _described(scope: RecordScope) -> str:
    of = [f"{scope.since:%Y-%m-%dT%H:%M%z} to {scope.until:%Y-%m-%dT%H:%M%z}"]
    if scope.system_id is not None:
        of.append(f"sender {visible(scope.system_id)}")
    if scope.msisdn is not None:
        of.append(f"number {masked(scope.msisdn)}")
    return ", ".join(of)


def shown_record(record: Record, sealer: Sealer | None, *, is_whole: bool) -> Record:
    """Return a record as it may be seen.

    Raises SealError when all of it is asked for and its key is not here.
    """
    if is_whole:
        if sealer is None and is_sealed(record):
            raise SealError("sealed, and there are no keys")
        return record if sealer is None else opened(record, sealer)
    return masked_record(_opened_or_hidden(record, sealer))


def masked_record(record: Record) -> Record:
    """Return a record with what may be a subscriber's number masked, and without a text."""
    kind = record.get("kind")
    if kind == "text":
        record = {name: value for name, value in record.items() if name != "octets"}
    shown: dict[str, object] = dict(mask_values(None, "", dict(record)))
    shown |= {name: record[name] for name in _PLAIN if isinstance(record.get(name), int | str)}
    if kind == "decision":
        if record.get("reason") not in UNPROVEN:
            shown["source"] = record.get("source")
    elif kind == "delivery":
        subjects = subjects_of(record)
        names = (name for name in OF_RECEIPTS if name in record and name not in subjects)
        shown |= {name: record[name] for name in names}
    if kind in _SPEAKING and "text" in record:
        shown["text"] = record["text"]  # its id, which names a line of kind text
    return shown


def _opened_or_hidden(record: Record, sealer: Sealer | None) -> Record:
    if not is_sealed(record):
        return record
    try:
        if sealer is not None:
            return opened(record, sealer)
    except SealError:
        pass
    return {
        name.partition("_sealed")[0]: _HIDDEN if "_sealed" in name else value
        for name, value in record.items()
    }


# One hour's records, or one file's: what they are called, and how they are read.
_Source = tuple[str, Callable[[], Iterator[dict[str, object]]]]

_MAX_SHOWN = 100_000
# Ten columns of usual width stand side by side from here on.
_WIDE_COLUMNS = 150
_WIDE = ("at (UTC)", "SP", "what", "why", "rule", "status", "from", "to", "id", "µs")
_NARROW = ("at (UTC)\nSP, what", "why, rule\nfrom → to", "id\nstatus, µs")


def show_records(
    place: Path, limit: int, unmasking: UnmaskOptions, config: Path | None, *, as_json: bool
) -> int:
    """Print the last `limit` records below `place`; return the exit code."""
    if not 1 <= limit <= _MAX_SHOWN:
        raise misused(f"--limit: 1 to {_MAX_SHOWN}")
    reason, sources = reason_of(unmasking), _sources(place)
    if reason is None:
        sealer = sealer_at_hand(config)
    else:
        settings = load_settings(config)
        sealer = sealer_of(settings)
        journal_access(settings, "records show", reason, f"{place}, the last {limit}")
    try:
        records = [
            shown_record(record, sealer, is_whole=reason is not None)
            for record in _last(sources, limit)
        ]
    except SealError as error:
        raise cannot_open(error) from error
    if as_json:
        for record in records:
            print_json_line(record)
    elif records:
        _print_table(records)
    else:
        say("no records")
    return ExitCode.FINE


def _sources(place: Path) -> list[_Source]:
    if place.is_dir():
        archive = RecordArchive(place)
        return [(str(place), partial(archive.read, hour)) for hour in archive.hours()]
    if not place.is_file():
        raise misused(f"there is no file or directory {place}", "gateway.yaml names it: records")
    return [(str(place), partial(read_records, place))]


def _last(sources: list[_Source], limit: int) -> Iterable[Record]:
    """Return the last records of `sources`, read from the newest back."""
    found: list[Record] = []
    for name, read in reversed(sources):
        try:
            last = deque(read(), maxlen=limit - len(found))
        except (OSError, EOFError, zlib.error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise CommandError(f"{name} cannot be read: {why}") from error
        except ValueError as error:
            raise _no_records(name) from error
        # A line of JSON need not be a record.
        if not all(isinstance(record, dict) for record in last):
            raise _no_records(name)
        found[:0] = last
        if len(found) >= limit:
            break
    return found


def _no_records(name: str) -> CommandError:
    return CommandError(
        f"{name} is no file of records", advice="each line must be one record in JSON"
    )


def _print_table(records: Iterable[Record]) -> None:
    """Print one line for each record, or two where the screen is too narrow for one."""
    if console().width >= _WIDE_COLUMNS:
        print_table(_WIDE, map(_row, records))
    else:
        print_table(_NARROW, map(_narrow_row, records))


def _narrow_row(record: Record) -> tuple[tuple[str, str], ...]:
    at, system_id, what, why, rule, status, source, destination, message_id, us = _row(record)
    return (
        (at, f"{system_id} {what}"),
        (f"{why} {rule}", f"{source} → {destination}" if source or destination else ""),
        (message_id, f"{status} {us} µs" if us else status),
    )


def _row(record: Record) -> tuple[str, ...]:
    kind = str(record.get("kind"))
    match kind:
        case "decision":
            what, why = record.get("action"), _reason_and_category(record)
        case "delivery":
            what, why = record.get("what"), record.get("stat")
        case "outcome":
            what, why = record.get("how"), None
        case "text":
            what, why = kind, record.get("id")
        case _:
            what, why = kind, record.get("why") or record.get("reason")
    status = record.get("status", record.get("command_status"))
    cells = (
        record.get("at"),
        record.get("system_id"),
        what,
        why,
        record.get("rule"),
        status,
        record.get("source"),
        record.get("destination"),
        record.get("message_id") or record.get("gateway_id") or None,
        record.get("latency_us"),
    )
    return tuple("" if cell is None else str(cell) for cell in cells)


def _reason_and_category(record: Record) -> object:
    said = (record.get("reason"), record.get("category"))
    return ", ".join(str(one) for one in said if one)
