"""The work of `smsward records show`: the last records, with numbers masked."""

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from gateway.cli.deployment import load_settings
from gateway.cli.failure import CommandError, ExitCode, misused
from gateway.cli.record_options import UnmaskOptions
from gateway.cli.record_scopes import reason_of
from gateway.cli.record_views import shown_record
from gateway.cli.screen import console, print_json_line, print_table, say
from gateway.cli.unmask_reason import cannot_open, journal_access, sealer_at_hand, sealer_of
from gateway.runtime.record_archive import RecordArchive
from gateway.runtime.record_files import read_records
from gateway.runtime.sealed_records import Record
from gateway.runtime.sealing import SealError

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
