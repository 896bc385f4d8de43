"""How a file spells the fields of checks: their types in Python to types that pydantic reads."""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, replace
from datetime import time, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from types import UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BeforeValidator, Strict, model_validator
from pydantic import Field as FieldOf

from gateway.domain.categories import category_of
from gateway.domain.policy import MAX_ROLLING, Clock, CountDimension, Limit, RollingWindow
from gateway.domain.suspension import SuspensionTerms
from gateway.domain.verdict import Action
from gateway.filter.links import registrable_domain
from gateway.policy.check import Between, Check, Notation
from gateway.policy.checks.suspicious import Tolerance
from gateway.policy.hours import OnHolidays, Window, WindowSet
from gateway.policy.hub_words import hub_command_of
from gateway.policy.replies import Intent, MoContext, key_of, meaning_of
from gateway.settings.schema import Count, Id, PortNumber, Reply, Shape, SystemId, Text, without

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile("([1-9][0-9]{0,5})([smhd])")
_HOURS = re.compile("([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
_ROLLING = re.compile("rolling ([^ ]+)")
_WORKING_DAYS = re.compile("([1-9][0-9]?) working days?")

# YAML 1.1 reads 21:00 without quotes as 1260, minutes past midnight in base 60, and 08:00 as
# text: the two ends of a window would be of different types. Our own reader does not, but
# other tools that touch the file do.
_TRAP = ": without quotes some YAML readers take 21:00 for 1260"


def duration_said(span: timedelta) -> str:
    """Return ``10m`` for ten minutes: in the largest unit in which it is whole."""
    seconds = int(span.total_seconds())
    # One day is 24h: a day by the calendar is something else.
    units = ("d", "h", "m") if seconds > _UNITS_S["d"] else ("h", "m")
    unit = next((one for one in units if seconds % _UNITS_S[one] == 0), "s")
    return f"{seconds // _UNITS_S[unit]}{unit}"


def parse_duration(value: object) -> timedelta:
    """Return what ``"30m"`` says. Raises ValueError for anything else."""
    matched = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise ValueError('must be a duration in quotes: "90s", "30m", "24h" or "7d"')
    return timedelta(seconds=int(matched[1]) * _UNITS_S[matched[2]])


def parse_hours(value: object) -> tuple[time, time]:
    """Return opening and closing of ``"08:00-21:00"``; 24:00 is the midnight that ends a day.

    Raises ValueError for anything else, and when both are the same.
    """
    matched = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise ValueError(f'must be two times in one text, in quotes, as "08:00-21:00"{_TRAP}')
    hours = [int(part) for part in matched.groups()]
    if hours[2:] == [24, 0]:
        hours[2] = 0
        if hours[:2] == [0, 0]:
            return time(), time()
    try:
        opens, closes = time(hours[0], hours[1]), time(hours[2], hours[3])
    except ValueError as error:
        raise ValueError("must be times from 00:00 to 24:00") from error
    if opens == closes:
        raise ValueError('never opens: write "00:00-24:00" for a whole day')
    return opens, closes


def parse_working_days(value: object) -> int:
    """Return how many ``3 working days`` are. Raises ValueError for anything else."""
    matched = _WORKING_DAYS.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise ValueError("must be 1 to 99 working days, as: 3 working days")
    return int(matched[1])


def parse_every(value: object) -> Clock | RollingWindow:
    """Return what a limit counts in. Raises ValueError for anything else."""
    if isinstance(value, str):
        if value in list(Clock):
            return Clock(value)
        matched = _ROLLING.fullmatch(value)
        if matched is not None:
            return RollingWindow(int(parse_duration(matched[1]).total_seconds()))
    raise ValueError('must be minute, hour, day, or a time that moves along, as "rolling 24h"')


def _written(parse: Callable[[object], object], pattern: str, *examples: str) -> BeforeValidator:
    """Return what reads a text with `parse`; editors know it by its pattern and examples."""
    text: Any = Annotated[str, FieldOf(pattern=pattern, examples=list(examples))]
    return BeforeValidator(parse, json_schema_input_type=text)


_HOURS_TEXT = _written(parse_hours, r"^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$", "08:00-21:00")
Duration = Annotated[
    timedelta, _written(parse_duration, r"^[1-9][0-9]{0,5}[smhd]$", "90s", "30m", "24h", "7d")
]
WorkingDays = Annotated[
    int,
    _written(parse_working_days, r"^[1-9][0-9]? working days?$", "1 working day", "3 working days"),
]
_EVERY_PATTERN = r"^(minute|hour|day|rolling [1-9][0-9]{0,5}[smhd])$"
Every = Annotated[
    Clock | RollingWindow,
    _written(parse_every, _EVERY_PATTERN, "minute", "hour", "day", "rolling 24h"),
]
Hours = Annotated[tuple[time, time], _HOURS_TEXT]
_SHARE = re.compile("([0-9]{1,2}(?:[.][0-9]{1,4})?) ?%")
_MAX_SHARE = Decimal("0.5")
_MAX_WORD_CHARS = 16
_MAX_SPAN = timedelta(days=180)
# What a word may mean by itself, whatever was asked before: nothing, or to be back.
_ANYTHING_BEFORE = MoContext(is_pending=True, listed=9_999)
_FREE = frozenset({Intent.NONE, Intent.OPTIN})

# What can be done with a message that could not be judged.
Fallback = Literal["reject", "quarantine", "forward"]


def parse_share(value: object) -> float:
    """Return what ``0.5 %`` says, as a share of 1. Raises ValueError for anything else."""
    matched = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise ValueError("must be a share of innocent texts, as: 0.5 %")
    share = Decimal(matched[1]) / 100
    if not 0 < share <= _MAX_SHARE:
        raise ValueError("must be above 0 % and at most 50 %")
    return float(share)


_SHARE_PATTERN = r"^[0-9]{1,2}([.][0-9]{1,4})? ?%$"
Share = Annotated[float, _written(parse_share, _SHARE_PATTERN, "0.1 %", "0.5 %", "1 %")]


def _is_domain(text: str) -> str:
    name = text.lower()
    if "xn--" in name:
        raise ValueError("must be written in letters, not as xn--")
    if registrable_domain(name) is None:
        raise ValueError("must be a domain or a host below one, as example.com, or an address")
    return name


def _is_registrable(text: str) -> str:
    name = _is_domain(text)
    if registrable_domain(name) != name:
        raise ValueError(f"must be the domain that is registered: {registrable_domain(name)}")
    return name


def _category_problem(identity: str) -> str | None:
    found = category_of(identity)
    is_known = found is not None and found.id == identity
    return None if is_known else "is no category: docs/reference/policies.md lists them"


class Weekday(StrEnum):
    """A day of the week, in the order of `datetime.date.weekday`."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class WindowShape(Shape):
    """`open[]`: hours of some weekdays."""

    hours: Hours
    weekdays: Annotated[list[Annotated[Weekday, Strict(False)]], FieldOf(min_length=1)] = FieldOf(
        default_factory=lambda: list(Weekday)
    )
    holidays: Annotated[OnHolidays, Strict(False)] = OnHolidays.ALLOW


def _spelled_out(value: object) -> object:
    return value if isinstance(value, dict) else {"hours": value}


def _windows(shapes: list[WindowShape]) -> WindowSet:
    days = list(Weekday)
    return WindowSet(
        tuple(
            Window(*one.hours, frozenset(map(days.index, one.weekdays)), one.holidays)
            for one in shapes
        )
    )


class LimitShape(Shape):
    """`limits[]`: at most so many messages that agree in all of `per`."""

    per: Annotated[list[Annotated[CountDimension, Strict(False)]], FieldOf(min_length=1)]
    at_most: Count
    every: Every
    on_holidays: Count | None = None

    @model_validator(mode="after")
    def _is_exact(self) -> "LimitShape":
        if len(set(self.per)) < len(self.per):
            raise ValueError("per: names a part twice")
        if not isinstance(self.every, Clock):
            if self.at_most > MAX_ROLLING:
                raise ValueError(f"at_most: a rolling limit counts to {MAX_ROLLING} at most")
            if self.on_holidays is not None:
                raise ValueError("on_holidays: a rolling limit lies in more days than one")
        return self


def _limit(shape: LimitShape) -> Limit:
    return Limit(tuple(shape.per), shape.at_most, shape.every, shape.on_holidays)


class ExceptionShape(Shape):
    """What holds for one sender, or for one port, which is the stronger."""

    sender: SystemId | None = None
    port: PortNumber | None = None

    @model_validator(mode="after")
    def _is_of_one(self) -> Self:
        if (self.sender is None) == (self.port is None):
            raise ValueError("must name either a sender or a port")
        return self


class ToleranceShape(ExceptionShape):
    """`tolerances[]`: another share for one sender, or for one port, which is the stronger."""

    tolerates: Share
    because: Text | None = None


def _word_problem(word: str) -> str | None:
    if not key_of(word) or len(word) > _MAX_WORD_CHARS:
        return f"must be 1 to {_MAX_WORD_CHARS} characters, and not only punctuation"
    # Nothing may stand in the way of a refusal, nor of what is written to the code otherwise.
    is_taken = meaning_of(word, _ANYTHING_BEFORE).intent not in _FREE
    if is_taken or hub_command_of(word) is not None:
        return "means something else already, as TD, 1 and 0000 do"
    return None


def _is_remembered(span: timedelta) -> timedelta:
    if span > _MAX_SPAN:
        raise ValueError('must be "180d" at most: so long suspensions are kept')
    return span


RestoreWord = Annotated[str, without(_word_problem)]


class SuspendShape(Shape):
    """`suspend`: for how long, and how the number is told and restored (R43)."""

    for_: WorkingDays = FieldOf(alias="for")
    looks_at_text: bool = False
    same_text: Annotated[int, FieldOf(ge=2, le=100)] = 20
    restore_words: Annotated[list[RestoreWord], FieldOf(min_length=1, max_length=20)]
    self_restore: Annotated[int, FieldOf(ge=0, le=100)] = 1
    restore_span: Annotated[Duration, AfterValidator(_is_remembered)] | None = None
    reply: Reply
    restored: Reply = "您的短信发送功能已恢复。请勿群发"
    refused: Reply = "您的号码暂不能自助恢复短信发送。到期自动恢复，如有异议请联系客服"


def _suspension_terms(shape: SuspendShape) -> SuspensionTerms:
    terms = SuspensionTerms(
        working_days=shape.for_,
        restore_words=tuple(shape.restore_words),
        reply=shape.reply,
        restored=shape.restored,
        refused=shape.refused,
        self_restores=shape.self_restore,
        same_text=shape.same_text if shape.looks_at_text else 0,
    )
    return terms if shape.restore_span is None else replace(terms, restore_span=shape.restore_span)


_Window = Annotated[
    WindowShape,
    BeforeValidator(
        _spelled_out, json_schema_input_type=_HOURS_TEXT.json_schema_input_type | WindowShape
    ),
]

# What a file says for a value of a type, and for a text or number with a notation.
_TYPES: Mapping[object, Any] = {
    timedelta: Duration,
    Action: Annotated[Fallback, AfterValidator(Action)],
    WindowSet: Annotated[
        list[_Window], FieldOf(min_length=1, max_length=50), AfterValidator(_windows)
    ],
    Limit: Annotated[LimitShape, AfterValidator(_limit)],
    Tolerance: Annotated[
        ToleranceShape,
        AfterValidator(lambda one: Tolerance(one.tolerates, one.sender or "", one.port or "")),
    ],
    SuspensionTerms: Annotated[SuspendShape, AfterValidator(_suspension_terms)],
    Notation.RULE_ID: Id,
    Notation.PORT: PortNumber,
    Notation.SYSTEM_ID: SystemId,
    Notation.NAME: Text,
    Notation.DOMAIN: Annotated[str, AfterValidator(_is_domain)],
    Notation.REGISTERED_DOMAIN: Annotated[str, AfterValidator(_is_registrable)],
    Notation.CATEGORY: Annotated[Id, without(_category_problem)],
    Notation.SHARE: Share,
}


def file_fields(check: type[Check]) -> dict[str, Any]:
    """Return the fields of a check for `pydantic.create_model`: each with its type and default."""
    hints = get_type_hints(check, include_extras=True)
    plain: Any = check  # every check is a dataclass, which its base cannot say
    return {
        field.name: (
            file_type(hints[field.name]),
            FieldOf(**_default(field), description=check.help[field.name]),
        )
        for field in fields(plain)
    }


def _default(field: "Field[Any]") -> dict[str, Any]:
    if field.default_factory is not MISSING:
        return {"default_factory": field.default_factory}
    if isinstance(field.default, tuple | frozenset):
        return {"default_factory": list}
    return {} if field.default is MISSING else {"default": field.default}


def file_type(hint: Any) -> Any:  # noqa: PLR0911 - a table
    """Return the type that reads from a file what becomes a value of the type `hint`."""
    if hint in _TYPES:
        return _TYPES[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(*arguments)
    if origin in (tuple, frozenset):
        return _many(origin, arguments[0])
    inner = tuple(map(file_type, arguments))
    if origin in (Union, UnionType):
        return Union[inner]  # noqa: UP007 - of a tuple made here
    if inner:
        return dict[inner]  # type: ignore[misc, valid-type] # a mapping
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Annotated[hint, Strict(False)]
    return hint


def _annotated(hint: Any, *notes: Any) -> Any:
    read = file_type(hint)
    bounds: list[Any] = []
    for note in notes:
        if isinstance(note, Notation):
            read = _TYPES[note]
        else:
            bounds.append(AfterValidator(_within(note)) if isinstance(note, Between) else note)
    if get_origin(hint) in (tuple, frozenset):
        return _many(get_origin(hint), get_args(hint)[0], *bounds)
    return Annotated[(read, *bounds)] if bounds else read


def _many(kind: Any, item: Any, *bounds: Any) -> Any:
    return Annotated[(list[file_type(item)], *bounds, AfterValidator(kind))]  # type: ignore[misc]


def _within(bounds: Between) -> Any:
    least, most = duration_said(bounds.least), duration_said(bounds.most)
    said = f'must be "{least}" to "{most}": {bounds.why}'

    def is_within(span: timedelta) -> timedelta:
        if not bounds.least <= span <= bounds.most:
            raise ValueError(said)
        return span

    return is_within
