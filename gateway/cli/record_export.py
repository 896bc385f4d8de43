"""The work of `smsward records export`: records of a period as JSON Lines."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from gateway.cli.failure import CommandError, ExitCode
from gateway.cli.plurals import counted
from gateway.cli.private_files import private_file
from gateway.cli.progress import progress_bar
from gateway.cli.record_options import Period, UnmaskOptions
from gateway.cli.record_scopes import reason_of, scope_of
from gateway.cli.record_views import shown_record
from gateway.cli.screen import print_json, say, visible
from gateway.cli.unmask_reason import cannot_open, journal_access, sealer_of
from gateway.domain.msisdn import masked
from gateway.runtime.record_archive import RecordArchive, start_of
from gateway.runtime.record_filter import RecordPicker, RecordScope
from gateway.runtime.sealed_records import Record
from gateway.runtime.sealing import Sealer, SealError
from gateway.settings.gateway import GatewaySettings


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
    archive = RecordArchive(settings.records_directory)
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
