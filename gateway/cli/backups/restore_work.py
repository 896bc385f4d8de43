"""The work of `smsward restore`: nothing is touched before all of a backup was compared."""

import asyncio
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.cli.backups.archive import (
    CONFIG,
    MODELS,
    POLICIES,
    BackupFile,
    BackupManifest,
    BackupReader,
    has_equal,
    sync_directory,
)
from gateway.cli.backups.backup_work import told_manifest
from gateway.cli.backups.record_copies import RestoredRecords, require_apart, restore_records
from gateway.domain.records import NewAccess
from gateway.records.archive import RecordArchive
from gateway.runtime.child_process import give_way
from gateway.runtime.clock import utcnow
from gateway.runtime.logging import LogLevel, configure_logging
from gateway.settings.gateway import GatewaySettings
from gateway.storage.backup import (
    backed_up_file,
    checked_copy,
    open_copy,
    remove_copy,
    set_store_aside,
    settle_copy,
    store_kept_alone,
)
from gateway.storage.errors import StoreUnavailable
from gateway.storage.journals import SqlJournals
from gateway.storage.open import SealMismatch
from gateway.systems.quarantine.decisions import ReviewStore
from gateway.terminal.deployment import load_settings
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import acting
from gateway.terminal.screen import counted, print_json, progress_bar, say, visible, warn
from gateway.terminal.store import keys_at_hand

_SHOWN = 10
_PRIVATE_DIRECTORY = 0o700
_IN_USE = "a gateway, a console or a command has the store open: stop them first"


@dataclass(frozen=True, slots=True)
class RestoreOrder:
    """Where a backup is to go, None for where it came from, and what may be replaced.

    `records` is where copies of records are that are to come back, None for none.
    """

    config: Path | None
    policies: Path | None
    records: Path | None
    store_only: bool
    overwrite: bool


@dataclass(frozen=True, slots=True)
class RestoredStore:
    """A store that was restored: `in_doubt` messages may have left since the backup.

    `replaced` is where the store is now that was there before, None for none.
    """

    place: Path
    in_doubt: int
    replaced: Path | None


def check_backup(place: Path, records: Path | None, *, as_json: bool) -> int:
    """Compare all files of a backup, and copies of records, with their digests.

    Returns the exit code.
    """
    reader = BackupReader(place.absolute())
    _compare(reader)
    manifest = reader.manifest
    if not as_json:
        files = counted(len(manifest.files), "file")
        say(f"whole: {files} of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
    compared = None if records is None else _restored_records(records, None)
    if as_json:
        print_json(told_manifest(place.absolute(), manifest) | _told_records(compared))
    return _records_end(compared)


def _restored_records(records: Path, directory: Path | None) -> RestoredRecords:
    archive = None if directory is None else RecordArchive(directory)
    with progress_bar() as progress:
        task = progress.add_task("comparing records", total=None)
        return restore_records(records, archive, lambda octets: progress.advance(task, octets))


def _told_records(restored: RestoredRecords | None) -> dict[str, object]:
    return {} if restored is None else {"records": asdict(restored)}


def _records_end(restored: RestoredRecords | None) -> int:
    """Name the copies that are damaged; return the exit code."""
    damaged = [] if restored is None else restored.damaged
    if damaged:
        warn(f"these copies of records are not what was copied: {_listed_briefly(damaged)}")
    return ExitCode.FAILED if damaged else ExitCode.FINE


def _listed_briefly(names: list[str]) -> str:
    more = "" if len(names) <= _SHOWN else f" and {len(names) - _SHOWN} more"
    return ", ".join(map(visible, names[:_SHOWN])) + more


def restore_backup(place: Path, order: RestoreOrder, *, as_json: bool) -> int:
    """Restore a backup as it was ordered; return the exit code."""
    give_way()
    reader = BackupReader(place.absolute())
    _compare(reader)
    manifest = reader.manifest
    config = (order.config or Path(manifest.places[CONFIG])).absolute()
    written = 0
    if not order.store_only:
        folders = {CONFIG: config}
        if manifest.of(POLICIES):
            folders[POLICIES] = (order.policies or _policies_beside(manifest, config)).absolute()
        written = _restore_files(reader, folders, overwrite=order.overwrite)
    _require_keys(manifest, config)
    settings = load_settings(config)
    if not order.store_only:
        written += _restore_files(
            reader, {MODELS: settings.learning.models.absolute()}, overwrite=order.overwrite
        )
    records = order.records
    if records is not None:
        require_apart(records, settings.records.directory)
    store = _restore_store(reader, settings, overwrite=order.overwrite)
    restored = None
    try:
        if records is not None:
            restored = _restored_records(records, settings.records.directory)
    finally:  # the store is restored, also where records are not
        _tell(manifest, store, written, restored, as_json=as_json)
    return _records_end(restored)


def _policies_beside(manifest: BackupManifest, config: Path) -> Path:
    """Return where policies go by themselves: those below the configuration stay below it."""
    policies, before = Path(manifest.places[POLICIES]), Path(manifest.places[CONFIG])
    if policies.is_relative_to(before):
        return config / policies.relative_to(before)
    return policies


def _compare(reader: BackupReader) -> None:
    with progress_bar() as progress:
        task = progress.add_task("comparing", total=reader.manifest.octets)
        for file in reader.manifest.files:
            reader.check(file)
            progress.advance(task, file.octets)


def _restore_files(reader: BackupReader, folders: dict[str, Path], *, overwrite: bool) -> int:
    """Write the files of some folders where they differ; return how many were written.

    Nothing is written where one would be replaced, unless that is wanted.
    """
    wanted = list(_missing_or_other(reader.manifest, folders))
    others = [target for _, target in wanted if target.exists() or target.is_symlink()]
    if others and not overwrite:
        shown = _listed_briefly(list(map(str, others)))
        raise misused(
            f"{counted(len(others), 'file')} would be replaced: {shown}",
            "--store-only leaves all files as they are, --overwrite replaces them,"
            " --config and --policies name other places",
        )
    for file, target in wanted:
        try:
            target.parent.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            unfinished = target.with_name(f".{target.name}.part")
            reader.extract(file, unfinished)
            unfinished.replace(target)
        except OSError as error:
            raise CommandError(
                f"{visible(str(target))} cannot be written: {error.strerror}"
            ) from error
    return len(wanted)


def _missing_or_other(
    manifest: BackupManifest, folders: dict[str, Path]
) -> Iterator[tuple[BackupFile, Path]]:
    for folder, top in folders.items():
        for file in manifest.of(folder):
            target = top / file.name.removeprefix(f"{folder}/")
            if not has_equal(target, file):
                yield file, target


def _require_keys(manifest: BackupManifest, config: Path) -> None:
    """Raise CommandError for files with keys that were left out, and are not there."""
    missing = list(_missing_keys(manifest.left_out, config))
    if missing:
        raise CommandError(
            f"no backup holds keys, and these are not there: {', '.join(map(visible, missing))}",
            advice="put them back from where you keep them, and call this again: what is restored"
            " by now stays as it is. The store is not restored yet",
        )


def _missing_keys(left_out: Iterable[str], config: Path) -> Iterator[str]:
    for name in left_out:
        if name.startswith("env:"):
            if name.removeprefix("env:") not in os.environ:
                yield name
            continue
        inside = name.startswith(f"{CONFIG}/")
        path = config / name.removeprefix(f"{CONFIG}/") if inside else Path(name)
        if path.is_absolute() and not path.exists():
            yield str(path)


def _restore_store(
    reader: BackupReader, settings: GatewaySettings, *, overwrite: bool
) -> RestoredStore:
    """Make the store of the backup that of the deployment."""
    try:
        place = backed_up_file(settings.store.url).absolute()
        draft = place.with_name(f"{place.name}.restored")
        place.parent.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(store_kept_alone(place, _IN_USE))
            if _holds_anything(place) and not overwrite:
                raise misused(
                    f"there is a store at {visible(str(place))}",
                    "--overwrite restores this one in its place, and keeps that one beside it",
                )
            stack.callback(remove_copy, draft)
            reader.extract(reader.manifest.store, draft)
            checked_copy(draft)
            in_doubt = asyncio.run(_prepared(draft, settings, reader.manifest))
            replaced = _set_aside(place) if place.exists() else None
            draft.rename(place)
            sync_directory(place.parent)
    except SealMismatch as error:
        raise CommandError(
            f"the keys do not open the store of the backup: {error}",
            advice=_advice(reader.manifest),
        ) from error
    except StoreUnavailable as error:
        raise CommandError(f"the store is not restored: {error}") from error
    except OSError as error:
        raise CommandError(f"the store is not restored: {error.strerror or error}") from error
    return RestoredStore(place, in_doubt, replaced)


async def _prepared(draft: Path, settings: GatewaySettings, manifest: BackupManifest) -> int:
    """Bring a copy to the tables and rules of this program; return how many are in doubt in it.

    Raises SealMismatch where the keys do not open it, StoreUnavailable for a broken journal.
    """
    configure_logging(level=LogLevel.ERROR)
    database = await open_copy(
        draft, keys=keys_at_hand(settings), max_octets=settings.store.max_octets
    )
    try:
        journals = SqlJournals(database)
        known = {one.journal for one in manifest.journals if one.problem}
        for one in await journals.states():
            if one.problem and one.journal not in known:
                raise StoreUnavailable(f"its journal {one.journal} is not intact: {one.problem}")
        in_doubt = await ReviewStore(database).doubt_unsent(utcnow())
        about = f"of the backup of {manifest.made_at:%Y-%m-%dT%H:%M:%SZ}"
        await journals.note_access(NewAccess(acting(None), "restore", "", about, utcnow()))
    finally:
        await database.close()
    settle_copy(draft)
    return in_doubt


def _holds_anything(place: Path) -> bool:
    return place.is_file() and place.stat().st_size > 0


def _set_aside(place: Path) -> Path:
    """Give the store that is there another name; return it."""
    aside = place.with_name(f"{place.name}.before-{utcnow():%Y%m%dT%H%M%S.%f}")
    set_store_aside(place, aside)
    return aside


def _advice(manifest: BackupManifest) -> str:
    if manifest.key_id:
        return (
            f"put the key {manifest.key_id} back into the file that privacy.keys in gateway.yaml"
            " names, and call this again"
        )
    return (
        "take privacy out of gateway.yaml and call this again; then put it back, and run"
        " `smsward keys reseal`"
    )


def _tell(
    manifest: BackupManifest,
    store: RestoredStore,
    written: int,
    records: RestoredRecords | None,
    *,
    as_json: bool,
) -> None:
    made_at = f"{manifest.made_at:%Y-%m-%d %H:%M:%S} UTC"
    if as_json:
        print_json(
            {
                "made_at": manifest.made_at,
                "files": written,
                "store": str(store.place),
                "in_doubt": store.in_doubt,
                "replaced": None if store.replaced is None else str(store.replaced),
            }
            | _told_records(records)
        )
        return
    say(
        f"restored as of {made_at}: {visible(str(store.place))}, {counted(written, 'file')} written"
    )
    if store.replaced is not None:
        say(f"the store that was there: {visible(str(store.replaced))}")
    if records is not None:
        say(f"records: {counted(records.written, 'file')} written, {records.kept} were there")
    if store.in_doubt:
        were = f"{counted(store.in_doubt, 'message')} may have left since then"
        say(f"{were}: decide on them, `smsward quarantine list --state in_doubt`")
    say("what came after that is not in it: answers of subscribers, decisions, held messages")
