"""The work of `smsward policy history`, `rollback` and `reload`: what a gateway has in force."""

import asyncio
from pathlib import Path

from gateway.records.archive import words_of
from gateway.runtime.clock import monotonic, utcnow
from gateway.settings.bundles.archive import restore, unpacked
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.gateway import GatewaySettings
from gateway.settings.yaml import SettingsError
from gateway.stores import stores_of
from gateway.systems.policy_history import (
    VERSIONS_KEPT,
    PolicyRequest,
    PolicyStore,
    PolicyVersion,
    ReloadRequestState,
)
from gateway.terminal.failure import CommandError, ExitCode
from gateway.terminal.options import ReloadOptions, acting, limited
from gateway.terminal.screen import print_json, print_listed, say, shown_fields, visible, warn
from gateway.terminal.store import opened_store

_LOOK_EVERY_S = 0.1
_MAX_NOTE_CHARS = 200
_MAX_NUMBER = 2**63 - 1
_SEE_HISTORY = "`smsward policy history` shows what there is"


async def show_history(settings: GatewaySettings, limit: int, *, as_json: bool) -> int:
    """Print the last policies that came into force; return the exit code."""
    limited(limit, maximum=VERSIONS_KEPT)
    async with opened_store(settings, stores_of) as stores:
        versions = await stores.policies.versions(limit)
    columns = ("N", "in force from (UTC)", "digest", "bundle", "by", "note", "files")
    names = "number digest name at by note archive_octets"
    shown, nothing = (
        [shown_fields(one, names) for one in versions],
        "no policy has been in force yet",
    )
    print_listed(shown, columns, map(_row, versions), nothing, as_json=as_json)
    return ExitCode.FINE


async def roll_back(
    settings: GatewaySettings, directory: Path, number: int, wish: ReloadOptions, *, as_json: bool
) -> int:
    """Put the files of version `number` back, have them loaded; return the exit code."""
    async with opened_store(settings, stores_of) as stores:
        files = await files_of(stores.policies, number)
        if not wish.force:
            await _refuse_to_lose_work(stores.policies, directory)
        try:
            removed = restore(directory, files)
        except (OSError, ValueError) as error:
            raise CommandError(
                f"{directory} cannot be written: {words_of(error)}",
                advice="call it again afterwards",
            ) from error
        if not as_json:
            say(f"version {number} is in {directory} again")
        if removed:
            warn(f"removed, for version {number} had none of it: {', '.join(removed)}")
        note = f"rollback to {number}: {wish.note}".removesuffix(": ")
        # Going back is a decision: a list that gets shorter by it is no accident.
        answered = await _asked(stores.policies, wish, note, force=True)
    if as_json:
        back = {"version": number, "directory": str(directory), "removed": removed}
        print_json(back | _described_request(answered))
    return _told(answered, as_json=as_json)


async def reload_policies(settings: GatewaySettings, wish: ReloadOptions, *, as_json: bool) -> int:
    """Ask the running gateway to load the policies; return the exit code."""
    async with opened_store(settings, stores_of) as stores:
        answered = await _asked(stores.policies, wish, wish.note, force=wish.force)
    if as_json:
        print_json(_described_request(answered))
    return _told(answered, as_json=as_json)


async def files_of(store: PolicyStore, number: int) -> dict[str, bytes]:
    """Return the files of a version. Raises CommandError when they are not to be had."""
    # A number that no store could have given is unknown too.
    if not 1 <= number <= _MAX_NUMBER or await store.version(number) is None:
        raise CommandError(f"there is no version {number} on record", advice=_SEE_HISTORY)
    archive = await store.archive_of(number)
    if not archive:
        raise CommandError(f"the files of version {number} were not kept", advice=_SEE_HISTORY)
    try:
        return unpacked(archive)
    except ValueError as error:
        raise CommandError(f"the files of version {number} cannot be used: it {error}") from error


async def _refuse_to_lose_work(store: PolicyStore, directory: Path) -> None:
    """Raise CommandError when the directory holds what no version on record has."""
    (newest,) = await store.versions(limit=1)
    try:
        digest = load_bundle(directory).digest
    except SettingsError:
        digest = "files with faults"
    if digest != newest.digest:
        raise CommandError(
            f"{directory} holds {digest}, which is not {newest.digest} of version {newest.number}:"
            " going back would overwrite changes that are not on record",
            advice="save them elsewhere, then add --force",
        )


async def _asked(
    store: PolicyStore, wish: ReloadOptions, note: str, *, force: bool
) -> PolicyRequest:
    """Ask for a reload; return the request as it stands when answered, or after the wait."""
    short = visible(note.strip())[:_MAX_NOTE_CHARS]
    wanted = PolicyRequest(acting(wish.by), short, force, utcnow())
    number = await store.ask(wanted)
    deadline = monotonic() + wish.wait_s
    while True:
        request = await store.request(number)
        if request is None:
            raise CommandError("the request is gone from the store")
        if request.state is not ReloadRequestState.OPEN or monotonic() >= deadline:
            return request
        await asyncio.sleep(_LOOK_EVERY_S)


def _told(request: PolicyRequest, *, as_json: bool) -> int:
    """Say what became of a request; return the exit code. What went wrong is said either way."""
    match request.state:
        case ReloadRequestState.TAKEN:
            if not as_json:
                say(f"in force: {request.said}")
            return ExitCode.FINE
        case ReloadRequestState.REFUSED:
            raise CommandError(
                f"refused, the old policy stays\n{request.said}",
                advice="`smsward policy check` looks at the files",
            )
        case ReloadRequestState.OPEN:
            warn(
                "no gateway has answered yet. Is one running on this store? It loads the policies"
                " as soon as it does, at the latest when it starts."
            )
            return ExitCode.FAILED


def _described_request(request: PolicyRequest) -> dict[str, object]:
    names = "request state said by note force at"
    return shown_fields(request, names, request=request.number)


def _row(version: PolicyVersion) -> tuple[str, ...]:
    return (
        str(version.number),
        f"{version.at:%Y-%m-%d %H:%M:%S}",
        version.digest,
        version.name,
        version.by,
        version.note,
        "kept" if version.archive_octets else "not kept",
    )
