"""The work of `smsward backup`: what goes into one, and what stays out."""

import asyncio
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from gateway import __version__
from gateway.cli.backups.archive import (
    CONFIG,
    MODELS,
    POLICIES,
    STORE,
    BackupManifest,
    BackupWriter,
)
from gateway.cli.backups.record_copies import RecordCopies, copy_records, require_apart
from gateway.records.archive import RecordArchive
from gateway.runtime.child_process import give_way
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.storage.backup import backed_up_file, checked_copy, copy_database, journals_of
from gateway.storage.errors import StoreUnavailable
from gateway.terminal.deployment import DeploymentPaths, load_settings
from gateway.terminal.failure import CommandError, ExitCode
from gateway.terminal.screen import counted, print_json, progress_bar, say, visible, warn
from gateway.terminal.store import journal_access

_HEAD_OCTETS = 1 << 16
_PEM = b"PRIVATE KEY-----"
# As `smsward keys new` prints it; 32 octets are 44 characters, 64 are 88.
_KEY_LINE = re.compile(rb"""[a-z0-9][a-z0-9_-]{0,15}:\s*["']?[A-Za-z0-9+/]{43,86}={0,2}["']?""")
_MEBI = 1 << 20


def back_up(place: Path, records: Path | None, paths: DeploymentPaths, *, as_json: bool) -> int:
    """Write a backup of a deployment to `place`; return the exit code, 1 with a broken journal.

    Closed hours of its records are copied to the directory `records`, where one is given.
    """
    give_way()
    settings = load_settings(paths.config)
    if records is not None:
        require_apart(records, settings.records.directory)
    writer = BackupWriter(place.absolute())
    writer.begin()
    try:
        store = backed_up_file(settings.store.url).absolute()
        # This is in the copy, too. It shows as well that the keys at hand open the store.
        asyncio.run(journal_access(settings, "backup", "", f"to {writer.place.name}"))
        manifest = _gathered(writer, store, _folders(paths, settings), settings)
        writer.finish(manifest)
    except (OSError, StoreUnavailable) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise CommandError(f"no backup was made: {said}") from error
    finally:
        writer.give_up()
    copies = None
    try:
        if records is not None:
            copies = _copied_records(settings, records.absolute())
    finally:  # there is a backup, also where records are not copied
        code = _tell(writer.place, manifest, copies, as_json=as_json)
    return code


def _copied_records(settings: GatewaySettings, place: Path) -> RecordCopies:
    archive = RecordArchive(settings.records.directory)
    with progress_bar() as progress:
        task = progress.add_task("copying records", total=None)
        return copy_records(
            archive,
            place,
            utcnow(),
            lambda octets: progress.advance(task, octets),
            sealed_only=settings.privacy is not None,
        )


def _folders(paths: DeploymentPaths, settings: GatewaySettings) -> dict[str, Path]:
    """Return the directories that go into a backup; what is shipped comes with the program.

    Models below the configuration are part of it: gateway.yaml wants them to be there.
    """
    folders = {CONFIG: paths.config}
    if not paths.are_shipped:
        folders[POLICIES] = paths.policies
    models = settings.learning.models
    if not models.resolve().is_relative_to(paths.config.resolve()):
        folders[MODELS] = models
    return folders


def _gathered(
    writer: BackupWriter, store: Path, folders: Mapping[str, Path], settings: GatewaySettings
) -> BackupManifest:
    """Copy the store, then all files; return what the manifest is to say of them."""
    made_at = utcnow()
    copied = writer.draft / STORE
    with progress_bar() as progress:
        task = progress.add_task("copying the store", total=None)
        copy_database(
            store,
            copied,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
        progress.update(task, description="checking the copy")
        copy = checked_copy(copied)
        journals = asyncio.run(journals_of(copied))
    writer.add_store()
    left_out: dict[str, Path] = {}
    for name, path in _files(store, folders, settings):
        if _holds_key(path, settings):
            left_out[name] = path
        else:
            writer.add(path, name)
    elsewhere = _keys_elsewhere(settings, left_out.values())
    places = {folder: str(path.absolute()) for folder, path in folders.items()}
    return BackupManifest(
        made_at,
        __version__,
        copy.revision,
        copy.key_id,
        places | {"store": str(store)},
        (*sorted(left_out), *elsewhere),
        tuple(journals),
        tuple(writer.files),
    )


def _files(
    store: Path, folders: Mapping[str, Path], settings: GatewaySettings
) -> Iterator[tuple[str, Path]]:
    """Yield the files of all folders with their names in a backup, each once, in order.

    A link to a file is followed. A folder within another is its own; store and records, which
    may lie in one, are left alone.
    """
    others = {path.resolve() for path in (*folders.values(), settings.records.directory)}
    store = store.resolve()
    for folder, top in folders.items():
        for directory, below, names in os.walk(top):
            here = Path(directory)
            below[:] = sorted(name for name in below if (here / name).resolve() not in others)
            for path in (here / name for name in sorted(names)):
                # The database and the gateway keep files beside it, which begin with its name.
                is_store = here.resolve() == store.parent and path.name.startswith(store.name)
                if path.is_file() and not is_store:
                    yield f"{folder}/{path.relative_to(top).as_posix()}", path


def _holds_key(path: Path, settings: GatewaySettings) -> bool:
    """Tell whether a file is that of the keys, or holds a private key, or keys of another time."""
    privacy = settings.privacy
    if privacy is not None and path.resolve() == Path(privacy.keys).resolve():
        return True
    with path.open("rb") as file:
        head = file.read(_HEAD_OCTETS)
    lines = [line for line in map(bytes.strip, head.splitlines()) if line and line[:1] != b"#"]
    return _PEM in head or (bool(lines) and all(map(_KEY_LINE.fullmatch, lines)))


def _keys_elsewhere(settings: GatewaySettings, left_out: Iterable[Path]) -> Iterator[str]:
    """Yield where the keys are that seal the store, unless they are among `left_out`."""
    if settings.privacy is None:
        return
    keys = settings.privacy.keys
    if keys.startswith("env:"):
        yield keys
    elif Path(keys).resolve() not in {path.resolve() for path in left_out}:
        yield str(Path(keys).absolute())


def _tell(
    place: Path, manifest: BackupManifest, copies: RecordCopies | None, *, as_json: bool
) -> int:
    broken = [one for one in manifest.journals if one.problem]
    for one in broken:
        row = "" if one.broken is None else f", row {one.broken}"
        warn(f"the journal {one.journal} is not intact{row}: {one.problem}")
    if as_json:
        records = {} if copies is None else {"records": asdict(copies)}
        print_json(told_manifest(place, manifest) | records)
    else:
        size = f"{manifest.octets / _MEBI:.1f} MiB"
        say(f"backed up: {counted(len(manifest.files), 'file')}, {size} to {visible(str(place))}")
        for name in manifest.left_out:
            say(f"not in it, for it holds keys: {visible(name)}")
        if manifest.key_id:
            say(f"the store is sealed with the key {manifest.key_id}: keep that, or nothing opens")
        if copies is not None:
            _say_of_records(copies)
    return ExitCode.FAILED if broken else ExitCode.FINE


def _say_of_records(copies: RecordCopies) -> None:
    say(f"records: {counted(copies.copied, 'file')} copied, {copies.kept} were there")
    if copies.waiting:
        say(f"not sealed yet, and so in no copy: {counted(copies.waiting, 'file')} of records")
    if copies.gone:
        gone = counted(copies.gone, "file")
        say(f"{gone} of the copies are in the records no more: purged? Then remove them there, too")


def told_manifest(place: Path, manifest: BackupManifest) -> dict[str, object]:
    """Return what programs are told of a backup."""
    return {
        "backup": str(place),
        "made_at": manifest.made_at,
        "files": len(manifest.files),
        "octets": manifest.octets,
        "key_id": manifest.key_id,
        "left_out": manifest.left_out,
        "journals": [asdict(one) for one in manifest.journals],
    }
