"""The rules of a bundle, `rules/*.yaml`: read from many files, merged by id, checked."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import partial
from itertools import product
from typing import Annotated, Any, ClassVar, Literal, Union

from pydantic import Field, PrivateAttr, Strict, create_model, model_validator

from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Enforcement, RuleEvent
from gateway.domain.verdict import Action
from gateway.domain.warning import Severity, WarningCode
from gateway.policy.bundle import Override, Rule, Title
from gateway.policy.check import Check, Exemption
from gateway.policy.checks import all_checks
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.source_suspension import SourceSuspension
from gateway.policy.hours import HolidayCalendar, OnHolidays, Window
from gateway.settings.bundles.check_fields import ExceptionShape, Fallback, file_fields
from gateway.settings.bundles.layers import entries_of, overlaid
from gateway.settings.schema import (
    DocumentCheck,
    Id,
    Shape,
    Text,
    Version,
    is_id,
    repeated,
    validate,
    without,
)
from gateway.settings.yaml import Document, Fault, FaultCollector, SettingsError
from gateway.smpp.status import CommandStatus

MAX_RULES = 500
_MAX_OVERRIDES = 1_000


def _status_problem(name: str) -> str | None:
    # ESME_ROK would tell the SP that a refused message was accepted.
    is_error = name in CommandStatus.__members__ and name != CommandStatus.ESME_ROK.name
    return None if is_error else "not the name of an error status, as ESME_RSUBMITFAIL is"


def _stop_commercial() -> dict[TrafficClass, Fallback]:
    return {TrafficClass.COMMERCIAL: "reject"}


Mode = Annotated[Enforcement, Strict(False)]
ClassOf = Annotated[TrafficClass, Strict(False)]
Classes = Annotated[list[ClassOf], Field(min_length=1)]


class TitleShape(Shape):
    """`title`: what the rule is called, in Chinese and English."""

    zh: Text
    en: Text


class OverrideShape(ExceptionShape):
    """`overrides[]`: another mode for one sender, or for one port, which is the stronger."""

    mode: Mode
    because: Text | None = None


class RuleShape(Shape):
    """What every rule has. A subclass is made for each check: with its fields."""

    check_type: ClassVar[type[Check]]

    id: Id
    title: TitleShape
    article: Text
    event: Annotated[RuleEvent, Strict(False)] = RuleEvent.SUBMIT
    mode: Mode = Enforcement.SHADOW
    applies_to: Classes = Field(default_factory=lambda: [TrafficClass.COMMERCIAL])
    overrides: Annotated[list[OverrideShape], Field(max_length=_MAX_OVERRIDES)] = Field(
        default_factory=list
    )
    _made: Check = PrivateAttr()

    @model_validator(mode="after")
    def _is_sound(self) -> "RuleShape":
        """Make the check; it raises ValueError for fields that do not fit together."""
        made: Any = self.check_type
        told = {one.name for one in fields(made)} & self.model_fields_set
        self._made = made(**{name: getattr(self, name) for name in told})
        return self

    def rule(self, **found: Any) -> Rule:
        """Return the rule that this describes; `found` is what holds for its findings."""
        overrides = (
            Override(one.mode, one.sender or "", one.port or "", one.because or "")
            for one in self.overrides
        )
        return Rule(
            id=self.id,
            title=Title(self.title.zh, self.title.en),
            article=self.article,
            check=self._made,
            mode=self.mode,
            event=self.event,
            applies_to=frozenset(self.applies_to),
            overrides=tuple(overrides),
            **{"action": Action.FORWARD, "on_error": {}, **found},
        )


class FindingShape(RuleShape):
    """What every rule has that finds against messages."""

    action: str = "reject"
    status: Annotated[str, without(_status_problem)] | None = None
    on_error: dict[ClassOf, Fallback] = Field(default_factory=_stop_commercial)
    warning: Annotated[WarningCode, Strict(False)] | None = None
    severity: Annotated[Severity, Strict(False)] | None = None

    def rule(self, **found: Any) -> Rule:
        """Return the rule that this describes."""
        return super().rule(
            action=Action(self.action),
            status=self.status or "",
            on_error={each: Action(action) for each, action in self.on_error.items()},
            warning=self.warning,
            severity=self.severity,
            **found,
        )


def _shape_of(check: type[Check]) -> type[RuleShape]:
    own = {"check": (Literal[check.name], ...), **file_fields(check)}
    base: type[RuleShape] = RuleShape
    if not issubclass(check, Exemption):
        base = FindingShape
        allowed = tuple(map(str, check.allowed_actions))
        by_class = {each: str(action) for each, action in check.default_on_error.items()}
        own |= {
            "action": (Literal[allowed], allowed[0]),
            "on_error": (dict[ClassOf, Fallback], Field(default_factory=by_class.copy)),
        }
    first_line = (check.__doc__ or "").partition("\n")[0]
    shape = create_model(f"{check.__name__}Rule", __base__=base, __doc__=first_line, **own)
    shape.check_type = check
    return shape


# By the name of the check: pydantic puts that name into the way to a fault, if it picks the shape.
SHAPES: Mapping[str, type[RuleShape]] = {one.name: _shape_of(one) for one in all_checks()}

# Names that checks had before, as files may still spell them.
FORMER_NAMES: Mapping[str, str] = {one.formerly: one.name for one in all_checks() if one.formerly}

_RULE: Any = Annotated[Union[tuple(SHAPES.values())], Field(discriminator="check")]  # noqa: UP007
_RULES: Any = Annotated[list[_RULE], Field(min_length=1, max_length=MAX_RULES)]

RulesFile = create_model(
    "RulesFile",
    __base__=Shape,
    __doc__="`rules/*.yaml`.",
    version=(Version, ...),
    rules=(_RULES, ...),
)


class RulesFrame(Shape):
    """`rules/*.yaml` before its rules are looked at: they may stand in several files."""

    version: Version
    rules: Annotated[list[dict[str, object]], Field(min_length=1, max_length=MAX_RULES)]


_NO_CALENDAR = "needs the calendar that bundle.yaml names: calendar: calendars/cn.yaml"


def double_overrides(rule: Document) -> Iterator[Fault]:
    """Find two exceptions for the same sender, or for the same port: one of them is not meant."""
    for key, kind in product(("overrides", "tolerances"), ("sender", "port")):
        named = [(way, str(name)) for way, name in rule.find(key, "*", kind) if name]
        for where, first in repeated(named):
            line = rule.mark(first).line
            yield rule.fault(where, f"{key}: contradicts the one of this {kind} in line {line}")


def lists_at_odds(rule: Document) -> Iterator[Fault]:
    """Find domains that one list of a rule blocks and another allows."""
    blocked = {value for _, value in rule.find("block", "*")}
    for key in ("allow", "brands"):
        for where, value in rule.find(key, "*"):
            if value in blocked:
                yield rule.fault(where, f"{key}: stands in block, too, which would stop nothing")


def double_limits(rule: Document) -> Iterator[Fault]:
    """Find two limits that count the same in the same time: only the smaller could be reached."""
    counted = [
        (where, f"{limit.get('every')} {sorted(map(str, per))}")
        for where, limit in rule.find("limits", "*")
        if isinstance(limit, dict) and isinstance(per := limit.get("per"), list)
    ]
    for where, first in repeated(counted):
        line = rule.mark(first).line
        yield rule.fault(where, f"limits: counts the same in the same time as line {line}")


def deferred_codes(rule: Document) -> Iterator[Fault]:
    """Find a rule that has codes wait (R22): when they arrive, they are of no use any more."""
    if any(action == "defer" for _, action in rule.find("action")):
        for where, traffic in rule.find("applies_to", "*"):
            if traffic == TrafficClass.VERIFICATION:
                yield rule.fault(where, "applies_to: a verification code may not wait for an hour")


def stray_severity(rule: Document) -> Iterator[Fault]:
    """Find a rule with a severity that raises no warning (R95): nobody learns of its violations."""
    if any(value is not None for _, value in rule.find("warning")):
        return
    for where, value in rule.find("severity"):
        if value is not None:
            yield rule.fault(where, "severity: needs a warning: W1 to W13, by which it is heard of")


def unknown_exempts(rule: Document, *, known: Collection[str]) -> Iterator[Fault]:
    """Find exempted rules that there are not, and a rule that exempts from itself."""
    own = next((value for _, value in rule.find("id")), None)
    for where, id_ in rule.find("exempts", "*"):
        if id_ == own:
            yield rule.fault(where, "exempts: a rule cannot exempt from itself")
        elif isinstance(id_, str) and id_ not in known:
            yield rule.fault(where, f"exempts: there is no rule {id_[:32]!r}")


def missing_calendar(rule: Document) -> Iterator[Fault]:
    """Find what is said of holidays. Ask where none are known."""
    for where, value in rule.find("open", "*", "holidays"):
        if value == OnHolidays.CLOSED:
            yield rule.fault(where, f"holidays: {_NO_CALENDAR}")
    for where, value in rule.find("limits", "*", "on_holidays"):
        if value is not None:
            yield rule.fault(where, f"on_holidays: {_NO_CALENDAR}")
    for where, _ in rule.find("suspend", "for"):
        yield rule.fault(where, f"suspend.for: {_NO_CALENDAR}")


def idle_suspend(rule: Document, *, checks: Collection[object]) -> Iterator[Fault]:
    """Find a suspension that would stop nothing: no rule of the bundle asks for it."""
    for where, value in rule.find("suspend"):
        if value is not None and SourceSuspension.name not in checks:
            yield rule.fault(
                where, "suspend: stops nothing without a rule of check: source_suspension"
            )


def foreign_acts(rule: Document) -> Iterator[Fault]:
    """Find a rule that suspends numbers of other networks, or warns them: not ours to do (R63)."""
    if any(event == RuleEvent.MT_IN for _, event in rule.find("event")):
        for key in ("suspend", "warning"):
            for where, value in rule.find(key):
                if value is not None:
                    yield rule.fault(where, f"{key}: not with event: mt_in, of another network")


def closed_windows(
    rule: Document, windows: Iterable[Window], calendar: HolidayCalendar
) -> Iterator[Fault]:
    """Find windows that open on no day of the years that the calendar knows."""
    days = [day for year in calendar.years for day in _days_of(year)]
    for number, window in enumerate(windows):
        is_closed = window.on_holidays is OnHolidays.CLOSED
        opens = (
            day.weekday() in window.weekdays and not (is_closed and calendar.is_holiday(day))
            for day in days
        )
        if days and not any(opens):
            yield rule.fault(("open", number), "open: opens on no day of the calendar")


def _days_of(year: int) -> Iterator[date]:
    first = date(year, 1, 1)
    return (first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days))


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
            _rename_check(entry)
            if not id_:
                continue
            first = rules.setdefault(id_, entry)
            if first is not entry:
                at = first.mark(("id",))
                problem = f"{id_}: stands in {at.path.name} line {at.line} already"
                gathering.faults.append(entry.fault(("id",), problem))
    return rules


def _rename_check(entry: Document) -> None:
    """Put the name of today in the place of a former one."""
    if isinstance(entry.value, dict):
        named = entry.value.get("check")
        if isinstance(named, str) and named in FORMER_NAMES:
            entry.value["check"] = FORMER_NAMES[named]


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
        if any(said != check for _, said in rule.find("check")):
            problem = f"{id_}.check: a rule keeps its check, {check}: give the new one its own id"
            gathering.faults.append(rule.fault(("check",), problem))
        below[id_] = overlaid((below[id_], rule))


def _check_of(rule: Document) -> object:
    return next((check for _, check in rule.find("check")), None)


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
    rule = shape.rule()
    if isinstance(rule.check, OutsideWindow) and beside.calendar is not None:
        faults = tuple(closed_windows(document, rule.check.open.windows, beside.calendar))
        if faults:
            raise SettingsError(faults)
    return rule


def _checks(
    id_: str, known: Mapping[str, object], beside: RuleContext
) -> tuple[DocumentCheck, ...]:
    def taken(document: Document) -> Iterable[Fault]:
        if id_ in beside.lists:
            yield document.fault(("id",), f"{id_}: is the id of a keyword list already")

    always: tuple[DocumentCheck, ...] = (
        taken,
        double_overrides,
        double_limits,
        lists_at_odds,
        deferred_codes,
        stray_severity,
        foreign_acts,
        partial(unknown_exempts, known=known),
        partial(idle_suspend, checks=known.values()),
    )
    return always if beside.calendar is not None else (*always, missing_calendar)
