"""The work of `smsward policy rules` and `policy schema`: what a bundle may say, and says."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias

from gateway.cli.deployment import faulty_policies
from gateway.cli.explanation_labels import worded
from gateway.cli.failure import ExitCode
from gateway.cli.screen import console, print_json, print_table
from gateway.domain.verdict import Action
from gateway.policy.rules import Rule
from gateway.policy.statuses import DEFAULT_STATUSES
from gateway.settings.bundle import load_bundle
from gateway.settings.bundle_source import BundleSource
from gateway.settings.difference import difference
from gateway.settings.fault import SettingsError
from gateway.settings.json_schema import BundlePart, schema_of
from gateway.settings.rule_text import check_name, parameters_of
from gateway.smpp.status import CommandStatus

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
    try:
        bundle = load_bundle(directory, profile)
    except SettingsError as error:
        raise faulty_policies(error.faults) from error
    if as_json:
        print_json(
            {
                "bundle": bundle.name,
                "digest": bundle.digest,
                "rules": [as_mapping(rule) for rule in bundle.rules],
            }
        )
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
    for profile in BundleSource(directory).profiles():
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
    return {
        "id": rule.id,
        "title": {"zh": rule.title.zh, "en": rule.title.en},
        "article": rule.article,
        "check": check_name(rule.check),
        "parameters": parameters_of(rule),
        "mode": rule.mode,
        "applies_to": sorted(rule.applies_to),
        "action": rule.action,
        "reason": rule.reason,
        "status": status_of(rule),
        "warning": rule.warning,
        "severity": rule.severity,
        "overrides": [
            {"sender": one.sender, "port": one.port, "mode": one.mode, "because": one.because}
            for one in rule.overrides
        ],
    }


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
            return rule.status or DEFAULT_STATUSES[rule.reason]


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
        (check_name(rule.check), *(f"{k}: {v}" for k, v in parameters_of(rule).items())),
        (rule.mode, *(f"{one.port or one.sender}: {one.mode}" for one in rule.overrides)),
        ", ".join(worded(one, language) for one in sorted(rule.applies_to)),
        worded("exempt" if rule.action is Action.FORWARD else rule.action, language),
        rule.reason,
        status_of(rule),
        tuple(str(said) for said in (rule.warning, rule.severity) if said is not None),
    )
