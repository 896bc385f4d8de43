"""`smsward preferences`: what subscribers want to receive, shown and changed."""

# ruff: noqa: PLC0415 - see gateway.terminal

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated

import orjson
from cyclopts import App, Parameter

from gateway.domain.categories import CATEGORIES, category_of
from gateway.domain.msisdn import masked
from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Edit,
    JournalEntry,
    Preference,
    PreferenceAction,
    PreferenceError,
    PreferenceKind,
    PreferenceList,
    preference,
    with_preference,
    without_preference,
)
from gateway.runtime.clock import utcnow
from gateway.terminal.failure import CommandError, ExitCode, misused, run_async
from gateway.terminal.options import FLAG, MASKED, AsJson, ConfigDirectory, UnmaskOptions, acting
from gateway.terminal.screen import (
    counted,
    print_json,
    print_listed,
    print_result,
    private_file,
    say,
    visible,
)

_COLUMNS = ("", "looks at", "value", "action")
_JOURNAL_COLUMNS = ("at", "channel", "by", "gone", "new")
_MOBILE_DIGITS = 11

Number = Annotated[
    str, Parameter("--number", allow_leading_hyphen=True, help="The subscriber's number.")
]
By = Annotated[str | None, Parameter(help="Who changes it; noted as said by your account.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class PreferenceSelector:
    """Whose preference, and what it looks at."""

    number: Number
    # As it is spelled everywhere else: cyclopts would say quiet-hours.
    kind: Annotated[
        PreferenceKind,
        Parameter(
            name_transform=str.lower,
            show_choices=False,
            help=f"What it looks at: {', '.join(PreferenceKind)}.",
        ),
    ]
    value: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="A number or 1069*, a word, a category, commercial or service, 22:00-08:00.",
        ),
    ]
    by: By = None


preferences = App(
    name="preferences",
    help="Look up and change what subscribers want to receive (用户接收策略). As shipped, R50, the"
    " rule that asks them, is in shadow mode: it stops nothing.",
    sort_key=7,
)


@preferences.command
def show(
    *,
    number: Number,
    journal: Annotated[bool, FLAG, Parameter(help="Show every change instead.")] = False,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show what a subscriber wants to receive, or how that came to be.

    Numbers decide before keywords, these before categories, classes and quiet hours; within
    one kind the order shown.

    Example: smsward preferences show --number 13800138000
    """
    from gateway.systems.preferences.sql import PreferenceStore
    from gateway.terminal.store import on_store

    msisdn = _msisdn(number)
    told = masked(msisdn)
    if journal:
        entries = on_store(config, PreferenceStore, lambda store: store.journal_of(msisdn))
        changed = {"number": told, "journal": list(map(_journaled, entries))}
        nothing, lines = f"nothing was ever changed for {told}", map(_journal_row, entries)
        print_listed(changed, _JOURNAL_COLUMNS, lines, nothing, as_json=as_json, title=told)
        return ExitCode.FINE
    kept = on_store(config, PreferenceStore, lambda store: store.of(msisdn))
    shown = {"number": told, "preferences": _listed(kept)}
    nothing, rows = f"{told} has no preferences", map(_row, count(1), kept)
    print_listed(shown, _COLUMNS, rows, nothing, as_json=as_json, title=told)
    return ExitCode.FINE


@preferences.command(name="set")
def set_one(
    *,
    about: PreferenceSelector,
    action: Annotated[
        PreferenceAction, Parameter(help="What becomes of messages that fit it.")
    ] = PreferenceAction.BLOCK,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Keep one preference, in the place of one about the same. It holds within a second.

    As shipped, the rule R50 that asks them is in shadow mode: what they would stop passes, and the
    records tell of it. docs/howto/preferences.md says how to switch it on.

    Example: smsward preferences set --number 13800138000 --kind category --value 房产

    Example: smsward preferences set --number 13800138000 --kind number --value 1069000112
    --action allow

    Example: smsward preferences set --number 13800138000 --kind quiet_hours
    --value 22:00-08:00 --action hold
    """
    wanted = _meant(about, action)
    try:
        _, after = _change(config, about, lambda before: with_preference(before, wanted))
    except PreferenceError as error:
        raise CommandError(
            f"not kept: {error}", advice="take some back: smsward preferences remove"
        ) from error
    _report(about, after, f"{wanted.action} {_described(wanted)}", as_json=as_json)
    return ExitCode.FINE


@preferences.command
def remove(
    *, about: PreferenceSelector, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """Take one preference back, of any action.

    Example: smsward preferences remove --number 13800138000 --kind category --value 房产
    """
    named = _meant(about, PreferenceAction.BLOCK)
    before, after = _change(
        config, about, lambda before: without_preference(before, named.kind, named.value)
    )
    if before == after:
        raise CommandError(
            f"{_masked_number(about)} has no preference about {_described(named)}",
            advice="smsward preferences show lists them",
        )
    _report(about, after, f"taken back: {_described(named)}", as_json=as_json)
    return ExitCode.FINE


@preferences.command
def export(
    *,
    number: Number,
    output: Annotated[
        Path | None,
        Parameter(alias="-o", help="Write this file, for its owner alone."),
    ] = None,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
) -> int:
    """Give out all that is kept of a subscriber's preferences, as JSON, at their request.

    Numbers of subscribers are masked, unless --unmask is given with a --reason.

    Example: smsward preferences export --number 13800138000 --unmask --reason "asked for, 12 May"
    -o preferences.json
    """
    from gateway.systems.preferences.sql import PreferenceStore
    from gateway.terminal.arguments import masked_number
    from gateway.terminal.deployment import config_of, load_settings
    from gateway.terminal.store import is_unmasked, on_store

    directory, about = config_of(config), f"preferences of {masked_number(number)}"
    settings = load_settings(directory)
    unmask = run_async(is_unmasked(settings, unmasking, "preferences export", about, always=True))
    msisdn = _msisdn(number)

    async def run(store: PreferenceStore) -> tuple[PreferenceList, list[JournalEntry]]:
        return await store.of(msisdn), await store.journal_of(msisdn)

    kept, entries = on_store(directory, PreferenceStore, run)
    shown = {
        "number": str(msisdn) if unmask else masked(msisdn),
        "preferences": _listed(kept, is_whole=unmask),
        "journal": [_journaled(entry, is_whole=unmask) for entry in entries],
    }
    if output is None:
        print_json(shown)
        return ExitCode.FINE
    with private_file(output, is_whole=unmask) as file:
        file.write(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode() + "\n")
    told = f"{counted(len(kept), 'preference')}, {counted(len(entries), 'change')}"
    say(f"written: {told} to {visible(str(output))}")
    return ExitCode.FINE


@preferences.command
def delete(
    *,
    number: Number,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Delete a subscriber's preferences and their history, at their request, for good.

    The journal keeps only that it was done, when and by whom. Export first what is wanted.

    Example: smsward preferences delete --number 13800138000
    """
    from gateway.systems.preferences.sql import PreferenceStore
    from gateway.terminal.store import on_store

    msisdn, origin = _msisdn(number), _origin(by)
    was_there = on_store(config, PreferenceStore, lambda store: store.erase(msisdn, origin))
    told = "deleted" if was_there else "there was nothing to delete"
    shown = {"number": masked(msisdn), "deleted": was_there}
    print_result(shown, f"{masked(msisdn)}: {told}", as_json=as_json)
    return ExitCode.FINE


def _change(
    config: ConfigDirectory, about: PreferenceSelector, edit: Edit
) -> tuple[PreferenceList, PreferenceList]:
    """Return the preferences before and after `edit`."""
    from gateway.systems.preferences.sql import PreferenceStore
    from gateway.terminal.store import on_store

    msisdn, origin = _msisdn(about.number), _origin(about.by)
    before, after = on_store(
        config, PreferenceStore, lambda store: store.change(msisdn, edit, origin)
    )
    return before, after


def _masked_number(about: PreferenceSelector) -> str:
    return masked(_msisdn(about.number, warns=False))


def _msisdn(number: str, *, warns: bool = True) -> int:
    from gateway.terminal.arguments import subscriber_of

    return subscriber_of(number, warns=warns)


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


def _report(about: PreferenceSelector, after: PreferenceList, done: str, *, as_json: bool) -> None:
    number = _masked_number(about)
    shown = {"number": number, "preferences": _listed(after)}
    print_result(shown, f"{number}: {done} ({counted(len(after), 'preference')})", as_json=as_json)


def _listed(kept: PreferenceList, *, is_whole: bool = False) -> list[dict[str, object]]:
    """Return what JSON tells of preferences; whole numbers are for the subscriber alone."""
    return [
        {
            "order": place,
            "kind": one.kind,
            "value": one.value if is_whole else _masked(one),
            "action": one.action,
        }
        for place, one in enumerate(kept, 1)
    ]


def _journaled(entry: JournalEntry, *, is_whole: bool = False) -> dict[str, object]:
    return {
        "at": entry.origin.at.isoformat(timespec="seconds"),
        "channel": entry.origin.channel,
        "by": entry.origin.by,
        "before": _listed(entry.before, is_whole=is_whole),
        "after": _listed(entry.after, is_whole=is_whole),
        "is_erasure": entry.is_erasure,
    }


def _row(place: int, one: Preference) -> tuple[str, ...]:
    return (str(place), one.kind, _named(one), one.action)


def _journal_row(entry: JournalEntry) -> tuple[str | tuple[str, ...], ...]:
    origin = entry.origin
    gone = _told(one for one in entry.before if one not in entry.after)
    return (
        f"{origin.at:%Y-%m-%d %H:%M:%S} UTC",
        origin.channel,
        origin.by or "the subscriber",
        gone,
        _told(one for one in entry.after if one not in entry.before),
    )


def _told(preferences: Iterable[Preference]) -> tuple[str, ...]:
    return tuple(f"{one.action} {_described(one)}" for one in preferences)


def _described(one: Preference) -> str:
    return f"{one.kind} {_named(one)}"


def _named(one: Preference) -> str:
    category = category_of(one.value) if one.kind is PreferenceKind.CATEGORY else None
    return _masked(one) if category is None else f"{category.id} {category.name}"


def _masked(one: Preference) -> str:
    """Return the value as screens may show it: a person whom somebody blocks stays unnamed."""
    value = one.value
    is_mobile = len(value) == _MOBILE_DIGITS and value.startswith("1") and value[1] in "3456789"
    return masked(value) if one.kind is PreferenceKind.NUMBER and is_mobile else value
