"""The work of `smsward preferences`: what subscribers want to receive, shown and changed."""

from pathlib import Path

import orjson

from gateway.cli.failure import CommandError, ExitCode, misused
from gateway.cli.person import acting
from gateway.cli.plurals import counted
from gateway.cli.preference_options import PreferenceSelector
from gateway.cli.preference_views import (
    COLUMNS,
    JOURNAL_COLUMNS,
    described,
    journal_row,
    journaled,
    listed,
    row,
)
from gateway.cli.private_files import private_file
from gateway.cli.screen import print_json, print_table, say, visible
from gateway.cli.storage import opened_store
from gateway.cli.subscriber import masked_number, subscriber_of
from gateway.domain.categories import CATEGORIES
from gateway.domain.msisdn import masked
from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Edit,
    Preference,
    PreferenceAction,
    PreferenceError,
    PreferenceKind,
    preference,
    with_preference,
    without_preference,
)
from gateway.ports.preferences import PreferenceEdit
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings


async def show_preferences(settings: GatewaySettings, number: str, *, as_json: bool) -> int:
    """Print what a subscriber wants; return the exit code."""
    msisdn = subscriber_of(number)
    async with opened_store(settings) as stores:
        kept = await stores.preferences.of(msisdn)
    if as_json:
        print_json({"number": masked(msisdn), "preferences": listed(kept)})
    elif kept:
        rows = (row(place, one) for place, one in enumerate(kept, 1))
        print_table(COLUMNS, rows, title=masked(msisdn))
    else:
        say(f"{masked(msisdn)} has no preferences")
    return ExitCode.FINE


async def show_journal(settings: GatewaySettings, number: str, *, as_json: bool) -> int:
    """Print how a subscriber's preferences changed; return the exit code."""
    msisdn = subscriber_of(number)
    async with opened_store(settings) as stores:
        entries = await stores.preferences.journal_of(msisdn)
    if as_json:
        shown = [journaled(entry) for entry in entries]
        print_json({"number": masked(msisdn), "journal": shown})
    elif entries:
        print_table(JOURNAL_COLUMNS, map(journal_row, entries), title=masked(msisdn))
    else:
        say(f"nothing was ever changed for {masked(msisdn)}")
    return ExitCode.FINE


async def set_preference(
    settings: GatewaySettings, about: PreferenceSelector, action: PreferenceAction, *, as_json: bool
) -> int:
    """Keep one preference; return the exit code."""
    wanted = _meant(about, action)
    try:
        changed = await _change(settings, about, lambda before: with_preference(before, wanted))
    except PreferenceError as error:
        raise CommandError(
            f"not kept: {error}", advice="take some back: smsward preferences remove"
        ) from error
    _report(about, changed, f"{wanted.action} {described(wanted)}", as_json=as_json)
    return ExitCode.FINE


async def remove_preference(
    settings: GatewaySettings, about: PreferenceSelector, *, as_json: bool
) -> int:
    """Take one preference back; return the exit code, which tells whether there was one."""
    named = _meant(about, PreferenceAction.BLOCK)
    changed = await _change(
        settings, about, lambda before: without_preference(before, named.kind, named.value)
    )
    if changed.before == changed.after:
        raise CommandError(
            f"{masked_number(about.number)} has no preference about {described(named)}",
            advice="smsward preferences show lists them",
        )
    _report(about, changed, f"taken back: {described(named)}", as_json=as_json)
    return ExitCode.FINE


async def export_preferences(
    settings: GatewaySettings, number: str, output: Path | None, *, unmask: bool
) -> int:
    """Write all that is kept of a subscriber into `output`, or print it; return the exit code."""
    msisdn = subscriber_of(number)
    async with opened_store(settings) as stores:
        kept = await stores.preferences.of(msisdn)
        entries = await stores.preferences.journal_of(msisdn)
    shown = {
        "number": str(msisdn) if unmask else masked(msisdn),
        "preferences": listed(kept, is_whole=unmask),
        "journal": [journaled(entry, is_whole=unmask) for entry in entries],
    }
    if output is None:
        print_json(shown)
        return ExitCode.FINE
    try:
        with private_file(output, is_whole=unmask) as file:
            file.write(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode() + "\n")
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from error
    told = f"{counted(len(kept), 'preference')}, {counted(len(entries), 'change')}"
    say(f"written: {told} to {visible(str(output))}")
    return ExitCode.FINE


async def delete_preferences(
    settings: GatewaySettings, number: str, by: str | None, *, as_json: bool
) -> int:
    """Delete all that is kept of a subscriber's preferences; return the exit code."""
    msisdn = subscriber_of(number)
    async with opened_store(settings) as stores:
        was_there = await stores.preferences.erase(msisdn, _origin(by))
    if as_json:
        print_json({"number": masked(msisdn), "deleted": was_there})
    else:
        say(f"{masked(msisdn)}: {'deleted' if was_there else 'there was nothing to delete'}")
    return ExitCode.FINE


async def _change(
    settings: GatewaySettings, about: PreferenceSelector, edit: Edit
) -> PreferenceEdit:
    msisdn = subscriber_of(about.number)
    async with opened_store(settings) as stores:
        return await stores.preferences.change(msisdn, edit, _origin(about.by))


def _origin(by: str | None) -> ChangeOrigin:
    return ChangeOrigin(Channel.CLI, utcnow(), acting(by))


def _meant(about: PreferenceSelector, action: PreferenceAction) -> Preference:
    try:
        return preference(about.kind, about.value, action)
    except PreferenceError as error:
        raise misused(f"--value cannot be kept: {error}", _advice(about.kind)) from error


def _advice(kind: PreferenceKind) -> str:
    if kind is not PreferenceKind.CATEGORY:
        return ""
    return f"the categories: {', '.join(f'{one.id} {one.name}' for one in CATEGORIES)}"


def _report(
    about: PreferenceSelector, changed: PreferenceEdit, done: str, *, as_json: bool
) -> None:
    number = masked_number(about.number)
    if as_json:
        print_json({"number": number, "preferences": listed(changed.after)})
    else:
        say(f"{number}: {done} ({counted(len(changed.after), 'preference')})")
