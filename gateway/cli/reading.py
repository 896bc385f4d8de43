"""The work of `smsward records`: the last records, with numbers masked."""

from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.cli.failure import CommandError, ExitCode, misused
from gateway.cli.screen import console, print_json_line, print_table, say
from gateway.domain.verdict import Reason
from gateway.runtime.masking import mask_values
from gateway.runtime.record_files import read_records

Record = Mapping[str, object]

_MAX_SHOWN = 100_000
# Ten columns of usual width stand side by side from here on.
_WIDE_COLUMNS = 150
_WIDE = ("at (UTC)", "SP", "what", "why", "rule", "status", "from", "to", "id", "µs")
_NARROW = ("at (UTC)\nSP, what", "why, rule\nfrom → to", "id\nstatus, µs")
# What may hold a subscriber's number stays masked; these cannot, however long they are.
_PLAIN = ("at", "session", "command_id", "sequence_number", "command_status", "latency_us")
# A source that is a port of its sender is no subscriber. What was refused for one of these
# may have carried anything.
_UNPROVEN = frozenset({Reason.SENDER_STATE, Reason.SOURCE_NOT_OWNED, Reason.MALFORMED})


def show_records(place: Path, limit: int, *, as_json: bool) -> int:
    """Print the last `limit` records below `place`; return the exit code."""
    if not 1 <= limit <= _MAX_SHOWN:
        raise misused(f"--limit: 1 to {_MAX_SHOWN}")
    records = [masked_record(record) for record in _last(_files(place), limit)]
    if as_json:
        for record in records:
            print_json_line(record)
    elif records:
        _print_table(records)
    else:
        say("no records")
    return ExitCode.FINE


def masked_record(record: Record) -> Record:
    """Return a record with what may be a subscriber's number masked."""
    shown: dict[str, object] = dict(mask_values(None, "", dict(record)))
    shown |= {name: record[name] for name in _PLAIN if isinstance(record.get(name), int | str)}
    if record.get("kind") == "decision" and record.get("reason") not in _UNPROVEN:
        shown["source"] = record.get("source")
    return shown


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(place.glob("cdr-*.jsonl"))
    if not place.is_file():
        raise misused(f"there is no file or directory {place}", "gateway.yaml names it: records")
    return [place]


def _last(files: list[Path], limit: int) -> Iterable[Record]:
    """Return the last records of `files`, read from the newest back."""
    found: list[Record] = []
    for path in reversed(files):
        try:
            last = deque(read_records(path), maxlen=limit - len(found))
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise _no_records(path) from error
        # A line of JSON need not be a record.
        if not all(isinstance(record, dict) for record in last):
            raise _no_records(path)
        found[:0] = last
        if len(found) >= limit:
            break
    return found


def _no_records(path: Path) -> CommandError:
    return CommandError(
        f"{path} is no file of records", advice="each line must be one record in JSON"
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
            what, why = record.get("action"), record.get("reason")
        case "outcome":
            what, why = record.get("how"), None
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
