"""The work of `smsward records`: records shown and exported as they may be seen, sealed, purged."""

import asyncio
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import orjson

from gateway.app.housekeeping import (
    PurgeJob,
    Purger,
    PurgeResult,
    RecordPurger,
    purge_before,
    purgers_of,
)
from gateway.domain.msisdn import masked
from gateway.records.archive import ArchiveBusyError, RecordArchive, hour_of, start_of, words_of
from gateway.records.masked_records import shown_record
from gateway.records.sealed_values import Record, RecordPicker, RecordScope
from gateway.records.upkeep import SealResult, due, seal_closed
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import Sealer, SealError
from gateway.settings.gateway import GatewaySettings
from gateway.stores import stores_of
from gateway.terminal.arguments import moment_of, reason_of, scope_of
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import Period, UnmaskOptions, acting
from gateway.terminal.screen import (
    counted,
    print_json,
    print_result,
    print_table,
    private_file,
    progress_bar,
    say,
    visible,
)
from gateway.terminal.store import cannot_open, journal_access, opened_store, sealer_of


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
            raise CommandError(
                f"the records of {start_of(hour):%Y-%m-%d %H} UTC cannot be read: {words_of(error)}"
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
    hours = [one for one in archive.hours() if scope.touches(start_of(one), start_of(one + 1))]
    asyncio.run(journal_access(settings, "records export", reason or "", _described(scope)))
    export = _RecordExport(archive, scope, sealer, is_whole=reason is not None)
    written = 0
    try:
        with progress_bar() as progress, private_file(output, is_whole=reason is not None) as file:
            for line in export.lines(iter(progress.track(hours, description="exporting"))):
                file.write(line)
                written += 1
    except SealError as error:
        raise cannot_open(error) from error
    told = f"{counted(written, 'record')} of {counted(len(hours), 'hour')}"
    shown = {"output": str(output), "records": written, "hours": len(hours)}
    print_result(shown, f"written: {told} to {visible(str(output))}", as_json=as_json)
    return ExitCode.FINE


def _described(scope: RecordScope) -> str:
    of = [f"{scope.since:%Y-%m-%dT%H:%M%z} to {scope.until:%Y-%m-%dT%H:%M%z}"]
    if scope.system_id is not None:
        of.append(f"sender {visible(scope.system_id)}")
    if scope.msisdn is not None:
        of.append(f"number {masked(scope.msisdn)}")
    return ", ".join(of)


_BUSY = "it is done when that has ended; call this again"


def seal_records(settings: GatewaySettings, *, as_json: bool) -> int:
    """Seal the hours that are closed; return the exit code."""
    sealer = sealer_of(settings)
    if sealer is None:
        raise misused(
            "there are no keys to seal with",
            "make one with `smsward keys new`, and name its file in gateway.yaml: privacy.keys",
        )
    archive, hour = RecordArchive(settings.records.directory), hour_of(utcnow())
    if not archive.directory.is_dir():
        return _report_sealed(SealResult(0, 0, 0), as_json=as_json)
    try:
        with progress_bar() as progress:
            files = due(archive, hour)
            octets = sum(file.path.stat().st_size for file in files)
            task = progress.add_task("sealing", total=octets or None)
            done = seal_closed(archive, sealer, hour, partial(progress.advance, task))
    except ArchiveBusyError as error:
        raise CommandError(str(error), advice=_BUSY) from error
    except OSError as error:
        raise CommandError(f"records cannot be sealed: {error.strerror}") from error
    return _report_sealed(done, as_json=as_json)


async def purge_records(
    settings: GatewaySettings, by: str | None, now: datetime | None, *, dry_run: bool, as_json: bool
) -> int:
    """Delete what is past keeping and not held; return the exit code."""
    at = utcnow()
    moment = at if now is None else moment_of(now)
    if moment > at and not dry_run:
        raise misused("--now: a time to come goes with --dry-run", "nothing goes before its time")
    months = settings.records.purge_after_months
    before = purge_before(months, moment)
    sealer = sealer_of(settings)
    async with opened_store(settings, stores_of) as stores:
        with progress_bar() as progress:
            task = progress.add_task("looking through", total=None)
            purgers: tuple[Purger, ...] = (
                RecordPurger(
                    settings.records.directory,
                    sealer,
                    stores.journals,
                    lambda done, total: progress.update(task, completed=done, total=total),
                ),
                *purgers_of(stores).values(),
            )
            holds = [hold for hold in await stores.legal_holds.listed() if hold.is_in_force(moment)]
            when = moment if dry_run else at
            job = PurgeJob(before, holds, when, acting(by), is_rehearsal=dry_run)
            done = [await _carried_out(purger, job) for purger in purgers]
        await stores.empty_wal()
        journals = await stores.journals.states()
    if as_json:
        print_json(
            {
                "before": before.isoformat(),
                "dry_run": dry_run,
                "purged": done,
                "journals": journals,
            }
        )
    else:
        verb = "would go" if dry_run else "gone"
        rows = ((one.what, str(one.gone), str(one.held)) for one in done)
        print_table(("what", verb, "under hold"), rows)
        say(f"recorded before {before:%Y-%m-%d %H:%M} UTC, {months} calendar months back")
    return ExitCode.FINE


async def _carried_out(purger: Purger, job: PurgeJob) -> PurgeResult:
    try:
        return await purger.purge(job)
    except ArchiveBusyError as error:
        raise CommandError(str(error), advice=_BUSY) from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise CommandError(
            f"a file of records cannot be purged: {words_of(error)}",
            advice="what cannot be read is not deleted; `smsward records show FILE` looks at one",
        ) from error


def _report_sealed(done: SealResult, *, as_json: bool) -> int:
    if as_json:
        print_json(done)
        return ExitCode.FINE
    say(f"sealed: {counted(done.rows, 'record')} in {counted(done.files, 'file')}")
    if done.busy:
        say(f"still being written: {counted(done.busy, 'file')}")
    return ExitCode.FINE
