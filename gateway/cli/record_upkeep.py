"""The work of `smsward records seal` and `purge` with their journals, and of `keys reseal`."""

import zlib
from dataclasses import asdict
from datetime import datetime
from functools import partial

from gateway.app.purge import PurgeJob, Purger, PurgeResult, RecordPurger, purge_before, purgers_of
from gateway.domain.records import Access, JournalState, Purge
from gateway.records.archive import ArchiveBusyError, HourFile, RecordArchive, hour_of
from gateway.records.upkeep import due, seal_closed
from gateway.runtime.clock import utcnow
from gateway.settings.fault import SettingsError
from gateway.settings.gateway import GatewaySettings, keys_of
from gateway.storage.errors import StoreUnavailable
from gateway.storage.open import file_of
from gateway.stores import reseal_store, stores_of
from gateway.terminal.arguments import moment_of
from gateway.terminal.deployment import faulty
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import acting
from gateway.terminal.screen import (
    counted,
    print_json,
    print_listed,
    print_table,
    progress_bar,
    say,
)
from gateway.terminal.store import opened_store, sealer_of, store_file

_MAX_LISTED = 10_000
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
        return _report_sealed(0, 0, 0, as_json=as_json)
    try:
        with progress_bar() as progress:
            files = due(archive, hour)
            task = progress.add_task("sealing", total=sum(map(_octets_of, files)) or None)
            done = seal_closed(archive, sealer, hour, partial(progress.advance, task))
    except ArchiveBusyError as error:
        raise CommandError(str(error), advice=_BUSY) from error
    except OSError as error:
        raise CommandError(f"records cannot be sealed: {error.strerror}") from error
    return _report_sealed(done.files, done.rows, done.busy, as_json=as_json)


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
                "purged": [asdict(one) for one in done],
                "journals": [asdict(one) for one in journals],
            }
        )
    else:
        verb = "would go" if dry_run else "gone"
        print_table(("what", verb, "under hold"), map(_purged_row, done))
        say(f"recorded before {before:%Y-%m-%d %H:%M} UTC, {months} calendar months back")
    return ExitCode.FINE


async def list_purges(settings: GatewaySettings, limit: int, *, as_json: bool) -> int:
    """Print the purge log, the newest first; return the exit code."""
    async with opened_store(settings, stores_of) as stores:
        purges = await stores.journals.purges(_sound(limit))
    columns = ("no", "at (UTC)", "what", "from", "to", "count", "by")
    shown = list(map(asdict, purges))
    print_listed(shown, columns, map(_row, purges), "nothing yet", as_json=as_json)
    return ExitCode.FINE


async def list_accesses(settings: GatewaySettings, limit: int, *, as_json: bool) -> int:
    """Print who saw whole numbers, the newest first; return the exit code."""
    async with opened_store(settings, stores_of) as stores:
        accesses = await stores.journals.accesses(_sound(limit))
    columns = ("no", "at (UTC)", "by", "command", "reason", "of what")
    shown = list(map(asdict, accesses))
    print_listed(shown, columns, map(_access_row, accesses), "nothing yet", as_json=as_json)
    return ExitCode.FINE


async def verify_journals(settings: GatewaySettings, *, as_json: bool) -> int:
    """Print how far the chains of both journals hold; return the exit code."""
    async with opened_store(settings, stores_of) as stores:
        states = await stores.journals.states()
    columns = ("journal", "rows", "head", "first broken", "problem")
    shown = list(map(asdict, states))
    print_listed(shown, columns, map(_state_row, states), "", as_json=as_json)
    return ExitCode.FAILED if any(one.problem for one in states) else ExitCode.FINE


async def _carried_out(purger: Purger, job: PurgeJob) -> PurgeResult:
    try:
        return await purger.purge(job)
    except ArchiveBusyError as error:
        raise CommandError(str(error), advice=_BUSY) from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CommandError(
            f"a file of records cannot be purged: {why}",
            advice="what cannot be read is not deleted; `smsward records show FILE` looks at one",
        ) from error


def _report_sealed(files: int, rows: int, busy: int, *, as_json: bool) -> int:
    if as_json:
        print_json({"files": files, "rows": rows, "busy": busy})
    else:
        say(f"sealed: {counted(rows, 'record')} in {counted(files, 'file')}")
        if busy:
            say(f"still being written: {counted(busy, 'file')}")
    return ExitCode.FINE


def _octets_of(file: HourFile) -> int:
    return file.path.stat().st_size


def _sound(limit: int) -> int:
    if not 1 <= limit <= _MAX_LISTED:
        raise misused(f"--limit: 1 to {_MAX_LISTED}")
    return limit


def _state_row(one: JournalState) -> tuple[str, ...]:
    broken = "" if one.broken is None else str(one.broken)
    return (one.journal, str(one.rows), one.head, broken, one.problem or "none")


def _purged_row(one: PurgeResult) -> tuple[str, ...]:
    return (one.what, str(one.gone), str(one.held))


def _row(one: Purge) -> tuple[str, ...]:
    times = (f"{time:%Y-%m-%d %H:%M}" for time in (one.since, one.until))
    return (
        str(one.number),
        f"{one.at:%Y-%m-%d %H:%M:%S}",
        one.what,
        *times,
        str(one.count),
        one.by,
    )


def _access_row(one: Access) -> tuple[str, ...]:
    at = f"{one.at:%Y-%m-%d %H:%M:%S}"
    return (str(one.number), at, one.by, one.action, one.reason, one.about)


def reseal(settings: GatewaySettings, *, as_json: bool) -> int:
    """Seal the whole store with the key that is in use now; return the exit code."""
    try:
        keys = keys_of(settings)
    except SettingsError as error:
        raise faulty(error.faults) from error
    if keys is None:
        raise misused(
            "there are no keys to seal with",
            "make one with `smsward keys new`, and name its file in gateway.yaml: privacy.keys",
        )
    path = store_file(settings)
    if file_of(settings.store.url) is None or not path.is_file():
        raise CommandError(
            f"there is no store at {path.absolute()}",
            advice="name the gateway's --config, and call this from the directory it runs in;"
            " a new store is sealed from its first start",
        )
    with progress_bar() as progress:
        task = progress.add_task("sealing", total=None)
        try:
            rows = reseal_store(
                settings.store.url,
                keys,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
        except StoreUnavailable as error:
            raise CommandError(
                f"the store at {path.absolute()} is not resealed: {error}",
                advice="what was done is kept: call this again, and it goes on from there",
            ) from error
    if as_json:
        print_json({"key": keys.current, "rows": rows})
    else:
        say(f"sealed anew: {counted(rows, 'row')}; the store is sealed with the key {keys.current}")
    return ExitCode.FINE
