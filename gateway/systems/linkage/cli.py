"""`smsward linkage`: the members of the linkage, and what they have signed."""

# ruff: noqa: PLC0415 - see gateway.terminal

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gateway.domain.linkage import EventRefusal, Member, MemberKey, OutboxState
from gateway.runtime.clock import utcnow
from gateway.terminal.failure import CommandError, ExitCode, misused, run_async
from gateway.terminal.options import FLAG, MASKED, AsJson, ConfigDirectory, UnmaskOptions, limited
from gateway.terminal.screen import (
    counted,
    print_fields,
    print_json,
    print_listed,
    print_result,
    shown_fields,
    visible,
)

if TYPE_CHECKING:
    from gateway.settings.linkage import LinkageSettings
    from gateway.systems.linkage.envelope import EventSigner

_COLUMNS = ("member", "role", "carrier", "province", "url", "key", "use", "from", "until", "state")

_EVENTS = 200
_MAX_RESENT = 10_000

Limit = Annotated[int, Parameter(help="At most so many, up to 10 000.")]

linkage = App(
    name="linkage",
    help="Exchange cases with the nodes of other carriers and provinces (联动).",
    sort_key=7,
)


@linkage.command
def members(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """List the members of linkage.yaml with each of their keys, and whether it is valid now.

    Example: smsward linkage members
    """
    registry, now = _settings(config).registry, utcnow()
    shown = [_described(one, now) for one in registry.members]
    rows = [
        (
            f"{one.name} (own)" if one.name == registry.own else one.name,
            one.role.value,
            one.carrier,
            one.province,
            one.url,
            key.kid,
            use,
            f"{key.not_before:%Y-%m-%d}",
            f"{key.not_after:%Y-%m-%d}",
            key.state_at(now).value,
        )
        for one in registry.members
        for use, keys in (("signs", one.keys), ("agrees", one.agreement_keys))
        for key in keys
    ]
    print_listed(shown, _COLUMNS, rows, "no member has a key", as_json=as_json)
    return ExitCode.FINE


@linkage.command
def verify(
    file: Annotated[Path, Parameter(name="FILE", help="One event as it was received.")],
    /,
    *,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Say who signed an event, and what it is; fail with the reason for which it is refused.

    Example: smsward linkage verify event.json
    """
    from gateway.systems.linkage.envelope import MAX_ENVELOPE_OCTETS, open_event

    registry = _settings(config).registry
    try:
        with file.open("rb") as stream:
            envelope = stream.read(MAX_ENVELOPE_OCTETS + 1)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    verified = open_event(envelope, registry, utcnow())
    if isinstance(verified, EventRefusal):
        if as_json:
            print_json({"ok": False, "reason": verified.reason, "detail": verified.detail})
            return ExitCode.FAILED
        detail = f" ({visible(verified.detail)})" if verified.detail else ""
        raise CommandError(
            f"refused: {verified.reason}{detail}",
            advice="docs/reference/linkage.md says what each reason means",
        )
    event = verified.event
    fields = {
        "member": verified.member.name,
        "type": event.type.value,
        "id": event.id,
        "case": event.subject,
        "recipient": event.recipient,
        "sequence": event.sequence,
        "time": event.time.isoformat(timespec="seconds"),
        "digest": verified.digest,
    }
    if as_json:
        print_json({"ok": True, **fields, "data": event.data})
    else:
        print_fields((name, visible(str(value))) for name, value in fields.items())
    return ExitCode.FINE


@linkage.command
def schema() -> int:
    """Print the JSON Schema of events, for members with other programs.

    Example: smsward linkage schema > linkage-event-1.json
    """
    from gateway.systems.linkage.envelope import event_schema

    print_json(event_schema())
    return ExitCode.FINE


@linkage.command
def text(
    case: Annotated[str, Parameter(name="CASE", help="The other member's name of the case.")],
    /,
    *,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show the text that another member has sent with a case. That is noted in the journal.

    It is masked without --unmask. Only this node can read it.

    Example: smsward linkage text unicom-gd.7
    """
    from gateway.runtime.masking import masked_text
    from gateway.runtime.sealing import agreement_key
    from gateway.systems.linkage.encrypted_text import decrypt_text
    from gateway.systems.linkage.envelope import event_in
    from gateway.systems.linkage.model import EventType
    from gateway.systems.linkage.pair_keys import PairKeys
    from gateway.systems.linkage.sql import LinkageInboxStore
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import is_unmasked, on_store

    settings = _settings(config)
    keys = PairKeys(settings.registry, map(agreement_key, settings.agreement_keys))
    # Of the member whose case it is alone: another may sign anything with that subject.
    member = settings.registry.find(case.rpartition(".")[0])
    source = "" if member is None else member.source
    found = on_store(
        config, LinkageInboxStore, lambda store: store.listed(case, source=source, limit=_EVENTS)
    )
    events = (event_in(one.envelope.encode()) for one in found)
    sealed = [
        str(one.data["encrypted_text"])
        for one in events
        if not isinstance(one, EventRefusal)
        and one.type is EventType.DISPATCHED
        and one.data.get("encrypted_text")
    ]
    found_text = next(filter(None, (decrypt_text(one, case, keys) for one in sealed)), None)
    if found_text is None:
        raise CommandError(
            f"{visible(case)} has no text that this node can read",
            advice="smsward linkage inbox lists what came; its agreement key must be here",
        )
    looking = is_unmasked(load_settings(config), unmasking, "linkage text", case, always=True)
    shown = found_text if run_async(looking) else masked_text(found_text)
    print_result({"case": case, "text": shown}, visible(shown), as_json=as_json)
    return ExitCode.FINE


@linkage.command
def inbox(
    *,
    case: Annotated[str | None, Parameter(help="Only of this case.")] = None,
    gaps: Annotated[bool, FLAG, Parameter(help="The cases with missing events instead.")] = False,
    limit: Limit = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List events that members sent, the newest first, or the cases in which some are missing.

    Example: smsward linkage inbox --gaps
    """
    from gateway.systems.linkage.sql import LinkageInboxStore
    from gateway.terminal.store import on_store

    limited(limit)
    if gaps:
        missing = on_store(config, LinkageInboxStore, lambda store: store.gaps(limit))
        names = "source recipient subject first_missing highest"
        shown = [shown_fields(one, names) for one in missing]
        columns = ("source", "recipient", "case", "first missing", "highest")
        print_listed(shown, columns, _rows(shown), "nothing is missing", as_json=as_json)
        return ExitCode.FINE
    found = on_store(config, LinkageInboxStore, lambda store: store.listed(case, limit=limit))
    names = "number source type subject sequence id received_at is_applied conflicts"
    shown = [shown_fields(one, names) for one in found]
    titles = ("no", "source", "type", "case", "sequence", "id", "received", "applied", "conflicts")
    print_listed(shown, titles, _rows(shown), "no events", as_json=as_json)
    return ExitCode.FINE


@linkage.command
def outbox(
    *,
    state: Annotated[OutboxState | None, Parameter(help="Only those in this state.")] = None,
    limit: Limit = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List events for other members, the newest first, with what became of them.

    Example: smsward linkage outbox --state dead
    """
    from gateway.systems.linkage.sql import LinkageOutboxStore
    from gateway.terminal.store import on_store

    limited(limit)
    found = on_store(config, LinkageOutboxStore, lambda store: store.listed(state, limit=limit))
    names = "number recipient type subject sequence id created_at state attempts next_at said"
    shown = [shown_fields(one, names) for one in found]
    columns = ("no", "recipient", "type", "case", "sequence", "id", "made", "state", "attempts")
    rows = _rows(shown)
    print_listed(shown, (*columns, "next", "said"), rows, "no events", as_json=as_json)
    return ExitCode.FINE


@linkage.command
def supervise(
    case: Annotated[str, Parameter(name="CASE", help="A member's name of its case: unicom-gd.7.")],
    member: Annotated[str, Parameter(name="MEMBER", help="Who is told.")],
    /,
    *,
    due: Annotated[
        datetime | None, Parameter(help="By when it is to be done, UTC unless it has an offset.")
    ] = None,
    note: Annotated[
        str, Parameter(show_default=False, help="What to say; mobile numbers are left out.")
    ] = "",
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Tell a member that this hub watches a case, and by when it is to be done (督办).

    Its own member and the one that it is with note it in their journals.

    Example: smsward linkage supervise unicom-gd.7 cmcc-gd --due 2026-12-10 --note "reported twice"
    """
    from uuid import uuid4

    from gateway.domain.linkage import MemberRole
    from gateway.systems.linkage.model import MAX_SAID_CHARS, EventDraft, EventType, without_numbers
    from gateway.systems.linkage.sql import LinkageOutboxStore
    from gateway.terminal.arguments import moment_of
    from gateway.terminal.store import on_store

    settings, now = _settings(config), utcnow()
    registry = settings.registry
    own, (owner, _, number) = registry.own_member, case.rpartition(".")
    if own.role is not MemberRole.HUB:
        raise misused(f"{own.name} is no hub in linkage.yaml: only a hub supervises")
    if registry.find(owner) is None or not (number.isascii() and number.isdigit()):
        raise misused("CASE is the name of a member, a dot, and the number of its case")
    if registry.find(member) is None or member == own.name:
        raise misused(f"MEMBER: {visible(member)} is no other member in linkage.yaml")
    data: dict[str, object] = {"note": without_numbers(note, MAX_SAID_CHARS)}
    if due is not None:
        data["due"] = moment_of(due)
    draft = EventDraft(f"s{uuid4().hex}", EventType.SUPERVISED, case, member, data)
    signer = signer_of(settings, now)
    try:
        on_store(
            config, LinkageOutboxStore, lambda store: store.add(draft, signer, own.source, now)
        )
    except ValueError as error:
        raise misused(str(error)) from error
    shown = {"case": case, "member": member, "id": draft.id}
    print_result(shown, f"{member} will hear that {case} is watched", as_json=as_json)
    return ExitCode.FINE


@linkage.command
def resend(
    numbers: Annotated[tuple[int, ...], Parameter(name="NO", help="Numbers of dead letters.")] = (),
    /,
    *,
    every: Annotated[bool, FLAG, Parameter("--all", help="All of them, up to 10 000.")] = False,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Send dead letters again; those of this node are signed with the key in use.

    Example: smsward linkage resend --all
    """
    from gateway.systems.linkage.service import LinkageOutbox
    from gateway.systems.linkage.sql import LinkageOutboxStore
    from gateway.terminal.store import on_store

    if every == bool(numbers):
        raise misused("name either numbers of dead letters or --all")
    settings, now = _settings(config), utcnow()
    registry, signer = settings.registry, signer_of(settings, now)

    async def run(store: LinkageOutboxStore) -> int:
        dead = OutboxState.DEAD
        found = await (store.listed(dead, limit=_MAX_RESENT) if every else store.find(numbers))
        return await LinkageOutbox(store, registry).resend(found, signer, now)

    count = on_store(config, LinkageOutboxStore, run)
    print_result(
        {"resent": count}, f"{counted(count, 'event')} will be sent again", as_json=as_json
    )
    return ExitCode.FINE


def signer_of(settings: "LinkageSettings", now: datetime) -> "EventSigner":
    """Return what signs with the key of this node. Raises CommandError if that is not valid now."""
    from gateway.runtime.sealing import signing_key
    from gateway.systems.linkage.envelope import EventSigner

    key = signing_key(settings.key)
    kid = settings.registry.kid_in_use(key.public_key().public_bytes_raw(), now)
    if kid is None:
        raise CommandError(
            f"{settings.key} is no valid key of {settings.registry.own} in linkage.yaml",
            advice="smsward linkage members lists the keys",
        )
    return EventSigner(kid, key)


def _rows(shown: list[dict[str, object]]) -> list[tuple[str, ...]]:
    return [tuple(visible(str(value)) for value in one.values()) for one in shown]


def linkage_in(directory: Path) -> "LinkageSettings":
    """Return what linkage.yaml of a directory says. Raises CommandError for faults, or no file."""
    from gateway.settings.linkage import load_linkage
    from gateway.settings.yaml import SettingsError
    from gateway.terminal.deployment import faulty

    path = directory / "linkage.yaml"
    if not path.exists():
        raise CommandError(
            f"there is no {path}", advice="docs/howto/linkage.md has one to begin with"
        )
    try:
        return load_linkage(path)
    except SettingsError as error:
        raise faulty(error.faults) from error


def _settings(config: Path | None) -> "LinkageSettings":
    from gateway.terminal.deployment import config_of

    return linkage_in(config_of(config))


def _described(one: Member, now: datetime) -> dict[str, object]:
    return {
        "name": one.name,
        "role": one.role,
        "carrier": one.carrier,
        "province": one.province,
        "url": one.url,
        "keys": [_key(key, now) for key in one.keys],
        "agreement_keys": [_key(key, now) for key in one.agreement_keys],
    }


def _key(key: MemberKey, now: datetime) -> dict[str, object]:
    return {
        "kid": key.kid,
        "not_before": key.not_before,
        "not_after": key.not_after,
        "revoked": key.revoked,
        "state": key.state_at(now),
    }
