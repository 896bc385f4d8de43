"""The work of `smsward policy history`, `rollback` and `reload`: what a gateway has in force."""

from pathlib import Path

from gateway.console.policies.versions import (
    ask_reload,
    files_of,
    refuse_to_lose_work,
    short_note,
)
from gateway.domain.records import NewAccess
from gateway.records.archive import words_of
from gateway.runtime.clock import utcnow
from gateway.settings.bundles.archive import restore
from gateway.settings.gateway import GatewaySettings
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
from gateway.terminal.screen import print_json, print_listed, say, shown_fields, warn
from gateway.terminal.store import opened_store


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
            await refuse_to_lose_work(stores.policies, directory)
        # The gateway that loads them may not run, or refuse them.
        by, about = acting(wish.by), f"version {number}"
        await stores.journals.note_access(NewAccess(by, "policy write", wish.note, about, utcnow()))
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


async def _asked(
    store: PolicyStore, wish: ReloadOptions, note: str, *, force: bool
) -> PolicyRequest:
    """Ask for a reload; return the request as it stands when answered, or after the wait."""
    wanted = PolicyRequest(acting(wish.by), short_note(note), force, utcnow())
    return await ask_reload(store, wanted, wish.wait_s)


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
