"""The work of `smsward policy check` and `policy diff`: bundles looked at by themselves."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from gateway.cli.config_check import (
    bundle_summary_of,
    report_faults,
    stray_categories_of,
    warnings_of,
)
from gateway.cli.deployment import faulty_policies
from gateway.cli.failure import ExitCode
from gateway.cli.list_words import settings_of
from gateway.cli.plurals import counted
from gateway.cli.screen import print_fields, print_json, print_table, say, warn
from gateway.domain.policy import KeywordList
from gateway.policy.bundle import Bundle
from gateway.settings.bundle import load_bundle
from gateway.settings.difference import BundleDifference, ListDifference, difference
from gateway.settings.fault import FaultCollector, SettingsError
from gateway.settings.selftest import load_proven

_SHOWN_WORDS = 20


def check_policies(directory: Path, *, as_json: bool) -> int:
    """Print the faults of one bundle and of its self-test, else a summary."""
    try:
        bundle = load_proven(directory)
    except SettingsError as error:
        report_faults(error.faults, as_json=as_json)
        return ExitCode.MISUSED
    read = {"policies": str(directory), **bundle_summary_of(bundle)}
    warnings = (*warnings_of((), bundle), *stray_categories_of(bundle, directory))
    if as_json:
        print_json({"ok": True, "faults": [], **read, "warnings": warnings})
        return ExitCode.FINE
    print_fields((name, str(value)) for name, value in read.items())
    for warning in warnings:
        warn(warning)
    return ExitCode.FINE


def diff_policies(old: Path, new: Path, *, as_json: bool) -> int:
    """Print what the bundle in `new` says otherwise than the one in `old`."""
    gathering = FaultCollector()
    before = gathering.take(lambda: load_bundle(old), None)
    after = gathering.take(lambda: load_bundle(new), None)
    if before is None or after is None:
        raise faulty_policies(gathering.faults)
    found = difference(before, after)
    if as_json:
        print_json(_as_json(before, after, found))
    elif found.is_none:
        say(f"{before.digest} and {after.digest} say the same")
    else:
        _print(found)
    return ExitCode.FINE


def _as_json(old: Bundle, new: Bundle, found: BundleDifference) -> dict[str, object]:
    return {
        "old": old.digest,
        "new": new.digest,
        "lists_added": [_list(words) for words in found.lists_added],
        "lists_removed": [_list(words) for words in found.lists_removed],
        "lists_changed": found.lists_changed,
        "settings": found.settings,
        "cases_added": found.cases_added,
        "cases_removed": found.cases_removed,
    }


def _list(words: KeywordList) -> dict[str, object]:
    return {"id": words.id, "words": len(words.words), **settings_of(words)}


def _print(found: BundleDifference) -> None:
    rows = [("+", words.id, _size(words)) for words in found.lists_added]
    rows += [("-", words.id, _size(words)) for words in found.lists_removed]
    rows += [row for one in found.lists_changed for row in _list_rows(one)]
    rows += [("~", one.name, f"{one.old} → {one.new}") for one in found.settings]
    if found.cases_added:
        rows.append(("+", "selftest", counted(found.cases_added, "case")))
    if found.cases_removed:
        rows.append(("-", "selftest", counted(found.cases_removed, "case")))
    print_table(("", "what", "change"), rows)


def _list_rows(one: ListDifference) -> Iterable[tuple[str, str, str]]:
    for setting in one.settings:
        yield "~", f"{one.id} {setting.name}", f"{setting.old} → {setting.new}"
    if one.added:
        yield "+", one.id, _some(one.added)
    if one.removed:
        yield "-", one.id, _some(one.removed)


def _size(words: KeywordList) -> str:
    said = {name.replace("_", " "): value for name, value in settings_of(words).items() if value}
    action = said.pop("action")
    told = (counted(len(words.words), "word"), *(f"{name} {value}" for name, value in said.items()))
    return f"the list: {action}, {', '.join(told)}"


def _some(words: Sequence[str]) -> str:
    shown = ", ".join(words[:_SHOWN_WORDS])
    rest = len(words) - _SHOWN_WORDS
    return f"{counted(len(words), 'word')}: {shown}" + (f" and {rest} more" if rest > 0 else "")
