"""The rules of a bundle: read from many files, merged by id, checked against each other."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gateway.policy.calendar import HolidayCalendar
from gateway.policy.rules import Rule
from gateway.settings.contradictions import (
    closed_windows,
    double_limits,
    double_overrides,
    idle_suspend,
    lists_at_odds,
    missing_calendar,
    stray_severity,
    unknown_exempts,
)
from gateway.settings.fault import Fault, FaultCollector, SettingsError
from gateway.settings.names import is_id
from gateway.settings.overlay import entries_of, overlaid
from gateway.settings.rule_file import MAX_RULES, SHAPES, RulesFrame, UntimelyShape
from gateway.settings.rule_values import rule_of
from gateway.settings.schema import Check, validate
from gateway.settings.yaml import Document


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What stands beside the rules: the calendar they count by, and the ids that are taken."""

    calendar: HolidayCalendar | None = None
    lists: Collection[str] = ()


def load_rules(layers: Iterable[Sequence[Document]], beside: RuleContext) -> tuple[Rule, ...]:
    """Return the rules that the files of all layers say together, in their order.

    A rule of an upper layer changes those fields that it names of the rule with its id below,
    or is a new one. Raises SettingsError with the faults of all rules.
    """
    gathering = FaultCollector()
    documents: dict[str, Document] = {}
    for files in layers:
        _lay(documents, _rules_of(files, gathering), gathering)
    if len(documents) > MAX_RULES:
        last = list(documents.values())[MAX_RULES]
        gathering.faults.append(last.fault((), f"more than {MAX_RULES} rules"))
    known = {id_: _check_of(document) for id_, document in documents.items()}
    found = [
        gathering.take(partial(_rule, document, known, beside), None)
        for document in documents.values()
    ]
    gathering.close()
    return tuple(rule for rule in found if rule is not None)


def _rules_of(files: Iterable[Document], gathering: FaultCollector) -> dict[str, Document]:
    """Return the rules of one layer by id. Rules of one id in one layer are a fault."""
    rules: dict[str, Document] = {}
    for file in files:
        gathering.take(partial(validate, file, RulesFrame), None)
        for entry in entries_of(file, "rules"):
            id_ = gathering.take(partial(_id_of, entry), "")
            if not id_:
                continue
            first = rules.setdefault(id_, entry)
            if first is not entry:
                at = first.mark(("id",))
                problem = f"{id_}: stands in {at.path.name} line {at.line} already"
                gathering.faults.append(entry.fault(("id",), problem))
    return rules


def _id_of(entry: Document) -> str:
    """Return the id of a rule, "" if it is no mapping. Raises SettingsError without an id."""
    if not isinstance(entry.value, dict):
        return ""  # the frame finds this
    if "id" not in entry.value:
        raise SettingsError([entry.fault((), "id: is missing")])
    id_ = entry.value["id"]
    if not isinstance(id_, str) or not is_id(id_):
        problem = "id: must be text of 1 to 32 of A-Z a-z 0-9 . _ -, a letter or digit first"
        raise SettingsError([entry.fault(("id",), problem)])
    return id_


def _lay(below: dict[str, Document], above: dict[str, Document], gathering: FaultCollector) -> None:
    """Lay the rules of the next layer over those that there are."""
    for id_, rule in above.items():
        if id_ not in below:
            below[id_] = rule
            continue
        check = _check_of(below[id_])
        if "check" in _keys_of(rule) and _check_of(rule) != check:
            problem = f"{id_}.check: a rule keeps its check, {check}: give the new one its own id"
            gathering.faults.append(rule.fault(("check",), problem))
        below[id_] = overlaid((below[id_], rule))


def _keys_of(rule: Document) -> Collection[str]:
    return rule.value.keys() if isinstance(rule.value, dict) else ()


def _check_of(rule: Document) -> object:
    return rule.value.get("check") if isinstance(rule.value, dict) else None


def _rule(document: Document, known: Mapping[str, object], beside: RuleContext) -> Rule:
    id_ = _id_of(document)
    check = _check_of(document)
    if check is None:
        raise SettingsError([document.fault((), f"{id_}.check: is missing")])
    model = SHAPES.get(check) if isinstance(check, str) else None
    if model is None:
        problem = f"{id_}.check: must be one of {', '.join(sorted(SHAPES))}"
        raise SettingsError([document.fault(("check",), problem)])
    shape = validate(document, model, *_checks(id_, known, beside), within=id_)
    if isinstance(shape, UntimelyShape) and beside.calendar is not None:
        faults = tuple(closed_windows(document, shape, beside.calendar))
        if faults:
            raise SettingsError(faults)
    return rule_of(shape)


def _checks(id_: str, known: Mapping[str, object], beside: RuleContext) -> tuple[Check, ...]:
    def taken(document: Document) -> Iterable[Fault]:
        if id_ in beside.lists:
            yield document.fault(("id",), f"{id_}: is the id of a keyword list already")

    always: tuple[Check, ...] = (
        taken,
        double_overrides,
        double_limits,
        lists_at_odds,
        stray_severity,
        partial(unknown_exempts, known=known),
        partial(idle_suspend, checks=known.values()),
    )
    return always if beside.calendar is not None else (*always, missing_calendar)
