"""The work of `smsward policy check`, `diff`, `rules` and `schema`: bundles by themselves."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from gateway.cli.config_check import (
    bundle_summary_of,
    report_faults,
    report_sound,
    stray_categories_of,
    warnings_of,
)
from gateway.cli.explain_labels import worded
from gateway.domain.policy import Enforcement, KeywordList, RuleEvent
from gateway.domain.verdict import Action
from gateway.policy.bundle import Bundle, Rule
from gateway.settings.bundles.bundle import BundlePart, load_bundle, load_proven, schema_of
from gateway.settings.bundles.difference import (
    BundleDifference,
    difference,
    parameters_of,
    settings_of,
)
from gateway.settings.bundles.layers import POSTURES, PROFILES, USUAL_POSTURE, BundleSource
from gateway.settings.bundles.local_files import write_mode, write_posture
from gateway.settings.yaml import FaultCollector, SettingsError
from gateway.smpp.status import CommandStatus
from gateway.terminal.deployment import bundle_in, faulty_policies
from gateway.terminal.failure import CommandError, ExitCode, known, misused
from gateway.terminal.screen import (
    console,
    print_json,
    print_table,
    say,
    shown_fields,
    visible,
)


def check_policies(directory: Path, *, as_json: bool) -> int:
    """Print the faults of one bundle and of its self-test, else a summary."""
    try:
        bundle = load_proven(directory)
    except SettingsError as error:
        report_faults(error.faults, as_json=as_json)
        return ExitCode.MISUSED
    read = {"policies": str(directory), **bundle_summary_of(bundle)}
    warnings = (*warnings_of((), bundle), *stray_categories_of(bundle, directory))
    return report_sound(read, warnings, as_json=as_json)


def choose_posture(directory: Path, name: str | None, *, as_json: bool) -> int:
    """Write which posture is in force, or print which there are; return the exit code."""
    names = (USUAL_POSTURE, *BundleSource(directory).folders(POSTURES))
    before = bundle_in(directory).posture
    if name is None:
        if as_json:
            print_json({"posture": before, "postures": names})
        else:
            print_table(("posture", ""), [(one, "in force" * (one == before)) for one in names])
        return ExitCode.FINE
    if name not in names:
        raise misused(f"there is no posture {visible(name)}", f"there are: {', '.join(names)}")
    with _sound(directory):
        path = write_posture(directory, name)
    return _told(path, f"posture: {before} -> {name}", {"posture": name}, as_json=as_json)


def choose_mode(
    directory: Path, rule: str, mode: Enforcement, sender: str, *, as_json: bool
) -> int:
    """Write the mode of a rule, or that for one sender; return the exit code."""
    rules = {one.id: one for one in bundle_in(directory).rules}
    if rule not in rules:
        raise misused(f"there is no rule {visible(rule)}", f"there are: {known(rules, 60)}")
    before = next(
        (one.mode for one in rules[rule].overrides if sender and one.sender == sender),
        rules[rule].mode,
    )
    with _sound(directory):
        path = write_mode(directory, rule, mode, sender)
    about = f"{rule} for {sender}" if sender else rule
    said: dict[str, object] = {"rule": rule, "sender": sender or None, "mode": str(mode)}
    return _told(path, f"{about}: {before} -> {mode}", said, as_json=as_json)


@contextmanager
def _sound(directory: Path) -> Iterator[None]:
    """Raise CommandError for a bundle with faults, or one that cannot be written."""
    try:
        yield
    except SettingsError as error:
        raise faulty_policies(error.faults) from error
    except OSError as error:
        raise CommandError(f"{error.filename or directory}: {error.strerror}") from error


def _told(path: Path, text: str, said: dict[str, object], *, as_json: bool) -> int:
    if as_json:
        print_json({**said, "file": str(path)})
    else:
        say(f"{text}, in {path}")
        say("a running gateway takes it with: smsward policy reload --force")
        say("and goes back with: smsward policy history, smsward policy rollback N")
    return ExitCode.FINE


def diff_policies(old: Path, new: Path, *, as_json: bool) -> int:
    """Print what the bundle in `new` says otherwise than the one in `old`."""
    from gateway.console.policies.versions import (  # noqa: PLC0415 - its store makes checks slow
        difference_rows,
    )

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
        print_table(("", "what", "change"), difference_rows(found))
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


# Ten columns of usual width stand side by side from here on; fewer, of these places, before.
_WIDE_COLUMNS = 180
_NARROW = ((0, 4, 5), (1, 2), (3,), (6, 7, 8, 9))

Language = Literal["zh", "en"]
# A cell that is no text has several lines.
Row: TypeAlias = tuple[str | tuple[str, ...], ...]

_COLUMNS = {
    "zh": ("编号", "名称", "依据", "检查", "模式", "类别", "处置", "原因", "应答", "预警"),
    "en": (
        *("id", "title", "article", "check", "mode", "classes"),
        *("action", "reason", "status", "warning"),
    ),
}


def list_rules(directory: Path, profile: str | None, language: Language, *, as_json: bool) -> int:
    """Print every rule of the bundle in `directory`."""
    bundle = bundle_in(directory, profile)
    if as_json:
        rules = [as_mapping(rule) for rule in bundle.rules]
        print_json({"bundle": bundle.name, "digest": bundle.digest, "rules": rules})
        return ExitCode.FINE
    title = f"{bundle.name} {bundle.digest}"
    columns: tuple[str, ...] = _COLUMNS[language]
    rows = [_row(rule, language) for rule in bundle.rules]
    if console().width < _WIDE_COLUMNS:
        columns = tuple("\n".join(columns[place] for place in places) for places in _NARROW)
        rows = [_narrow(row) for row in rows]
    print_table(columns, rows, title=title)
    return ExitCode.FINE


def print_schema(part: BundlePart, *, partial: bool) -> int:
    """Print the JSON Schema of a kind of file."""
    print_json(schema_of(part, partial=partial))
    return ExitCode.FINE


def print_markdown(directory: Path) -> int:
    """Print every rule of the bundle, and what each of its profiles changes, for a page."""
    try:
        sys.stdout.write(markdown_of(directory))
    except SettingsError as error:
        raise faulty_policies(error.faults) from error
    return ExitCode.FINE


def markdown_of(directory: Path) -> str:
    """Return the rules of a bundle and of its profiles as tables of a page.

    Raises SettingsError.
    """
    bundle = load_bundle(directory)
    rules: list[Row] = []
    for rule in bundle.rules:
        id_, _, *rest = _row(rule, "en")
        rules.append((id_, (rule.title.zh, rule.title.en), *rest))
    tables = [f"## {bundle.name}\n\n{_markdown_table(_COLUMNS['en'], rules)}"]
    for profile in BundleSource(directory).folders(PROFILES):
        found = difference(bundle, load_bundle(directory, profile)).settings
        # Of a calendar the name is enough here.
        told = (one for one in found if not one.name.startswith("calendar."))
        rows = [(one.name, one.old, one.new) for one in told]
        table = _markdown_table(("setting", bundle.name, profile), rows)
        tables.append(f"## Profile {profile}\n\n{table}")
    return "\n".join(tables)


def _markdown_table(columns: Row, rows: Iterable[Row]) -> str:
    lines = (columns, ("---",) * len(columns), *rows)
    return "".join(f"| {' | '.join(map(_markdown_cell, line))} |\n" for line in lines)


def _markdown_cell(cell: str | tuple[str, ...]) -> str:
    lines = (cell,) if isinstance(cell, str) else cell
    return "<br>".join(lines).replace("|", "\\|")


def as_mapping(rule: Rule) -> dict[str, object]:
    """Return a rule for programs."""
    return shown_fields(
        rule,
        "id title article event check parameters mode applies_to action reason status warning"
        " severity",
        check=rule.check.name,
        parameters=parameters_of(rule),
        applies_to=sorted(rule.applies_to),
        status=status_of(rule),
        overrides=[shown_fields(one, "sender port mode because") for one in rule.overrides],
    )


def status_of(rule: Rule) -> str:
    """Return the command_status that the sender hears; "" for a rule that stops nothing.

    What a sender's own `statuses` say of refusals goes before it.
    """
    match rule.action:
        case Action.FORWARD:
            return ""
        case Action.QUARANTINE | Action.DEFER:
            return CommandStatus.ESME_ROK.name
        case Action.REJECT | Action.THROTTLE:
            return rule.status or rule.reason.status


def _narrow(row: Row) -> Row:
    """Return a row of fewer columns, for a terminal: what belongs together, one below the other."""
    cells = [(cell,) if isinstance(cell, str) else tuple(cell) for cell in row]
    return tuple(
        tuple(line for place in places for line in cells[place] if line) for places in _NARROW
    )


def _row(rule: Rule, language: Language) -> Row:
    return (
        rule.id,
        rule.title.zh if language == "zh" else rule.title.en,
        rule.article,
        (
            rule.check.name,
            *(() if rule.event is RuleEvent.SUBMIT else (f"event: {rule.event}",)),
            *(f"{k}: {v}" for k, v in parameters_of(rule).items()),
        ),
        (rule.mode, *(f"{one.port or one.sender}: {one.mode}" for one in rule.overrides)),
        ", ".join(worded(one, language) for one in sorted(rule.applies_to)),
        worded("exempt" if rule.action is Action.FORWARD else rule.action, language),
        rule.reason,
        status_of(rule),
        tuple(str(said) for said in (rule.warning, rule.severity) if said is not None),
    )
