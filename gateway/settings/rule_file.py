"""The shape of `rules/*.yaml`: what all rules have, and what each check asks to be told."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import AfterValidator, BeforeValidator, Field, Strict, model_validator

from gateway.policy.answer_counts import MAX_WITHIN
from gateway.policy.limits import MAX_ROLLING, Clock, CountDimension
from gateway.policy.windows import OnHolidays
from gateway.settings.content_rule_file import (
    BadLinkShape,
    CampaignShape,
    ContactGivenShape,
    ImpostorShape,
    SuspiciousShape,
)
from gateway.settings.names import Id
from gateway.settings.rule_shape import AgainstShape, FindingShape, RuleShape, SlowingShape
from gateway.settings.schema import Count, Shape, Version
from gateway.settings.senders_file import PortNumber
from gateway.settings.spans import Duration, Every, Hours, HoursText
from gateway.settings.suspend_file import SuspendShape

MAX_RULES = 500
_MAX_LIMITS = 16
_MAX_WINDOWS = 50
_MAX_WALK = 10_000
_MIN_LATELY = timedelta(minutes=1)


class Weekday(StrEnum):
    """A day of the week, in the order of `datetime.date.weekday`."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class SuspendedShape(AgainstShape):
    """The number behind the source may send nothing for a while (R43)."""

    check: Literal["suspended"]


class OtherProvinceShape(AgainstShape):
    """A provincial port writes to a subscriber of another province (R04)."""

    check: Literal["other_province"]


class PurposeMissedShape(AgainstShape):
    """The text is commercial and its port is not registered for that (R05)."""

    check: Literal["purpose_missed"]


class PublicInterestShape(RuleShape):
    """An approved authority's port writes: the rules in `exempts` are not asked then (R11)."""

    check: Literal["public_interest"]
    exempts: Annotated[list[Id], Field(min_length=1)]


class RefusedShape(AgainstShape):
    """The subscriber refused the sender, or everybody (R21)."""

    check: Literal["refused"]


class NotAgreedShape(AgainstShape):
    """The subscriber never agreed (R20); `accept_asserted` takes the sender's word (R26)."""

    check: Literal["not_agreed"]
    accept_asserted: bool = True


class UnwantedShape(AgainstShape):
    """The subscriber's own preferences are against the message (R50)."""

    check: Literal["unwanted"]


class WindowShape(Shape):
    """`open[]`: hours of some weekdays."""

    hours: Hours
    weekdays: Annotated[list[Annotated[Weekday, Strict(False)]], Field(min_length=1)] = Field(
        default_factory=lambda: list(Weekday)
    )
    holidays: Annotated[OnHolidays, Strict(False)] = OnHolidays.ALLOW

    @property
    def numbered_weekdays(self) -> frozenset[int]:
        """Return the weekdays as `datetime.date.weekday` numbers them."""
        return frozenset(map(list(Weekday).index, self.weekdays))


def _spelled_out(value: object) -> object:
    return value if isinstance(value, dict) else {"hours": value}


WindowOf = Annotated[
    WindowShape, BeforeValidator(_spelled_out, json_schema_input_type=HoursText | WindowShape)
]


class UntimelyShape(FindingShape):
    """The message would arrive at other hours, in the recipient's time, than `open` (R40, R41)."""

    check: Literal["untimely"]
    action: Literal["reject", "quarantine", "defer"] = "reject"
    open: Annotated[list[WindowOf], Field(min_length=1, max_length=_MAX_WINDOWS)]
    jitter: Duration | None = None


class LimitShape(Shape):
    """`limits[]`: at most so many messages that agree in all of `per`."""

    per: Annotated[list[Annotated[CountDimension, Strict(False)]], Field(min_length=1)]
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


class TooOftenShape(SlowingShape):
    """A limit is reached (R42, R43). `sources` are beginnings of what is counted, all if empty."""

    check: Literal["too_often"]
    limits: Annotated[list[LimitShape], Field(min_length=1, max_length=_MAX_LIMITS)]
    sources: list[PortNumber] = Field(default_factory=list)
    suspend: SuspendShape | None = None

    @model_validator(mode="after")
    def _suspends_who_reached_it(self) -> "TooOftenShape":
        if self.suspend is None:
            return self
        if not self.sources:
            raise ValueError("suspend: needs sources, or the ports of SPs would be suspended too")
        if any(CountDimension.SOURCE not in limit.per for limit in self.limits):
            raise ValueError("suspend: each limit must count per source, or it suspends others")
        return self


class TooFastShape(SlowingShape):
    """A port sends more than `per_s` on average and `burst`, one second's worth, at once (R44)."""

    check: Literal["too_fast"]
    per_s: Annotated[float, Field(gt=0, le=1_000_000)]
    burst: Count | None = None


class NumberWalkShape(AgainstShape):
    """The sender walks through numbers: `count` in a row, in `within` (R28)."""

    check: Literal["number_walk"]
    count: Annotated[int, Field(ge=2, le=_MAX_WALK)]
    within: Duration


def _is_remembered(span: timedelta) -> timedelta:
    if not _MIN_LATELY <= span <= MAX_WITHIN:
        raise ValueError('must be "1m" to "1h": so long answers are remembered')
    return span


class UnknownNumbersShape(AgainstShape):
    """The SMSC does not know a `share` of the numbers of `at_least` messages (R28)."""

    check: Literal["unknown_numbers"]
    share: Annotated[float, Field(gt=0, le=1)]
    within: Annotated[Duration, AfterValidator(_is_remembered)]
    at_least: Count


class SignatureSwitchedShape(AgainstShape):
    """The source is bound to another signature (R06)."""

    check: Literal["signature_switched"]


class SignatureNotFiledShape(AgainstShape):
    """The sender has not filed the signature of the text (R12)."""

    check: Literal["signature_not_filed"]


class TemplateNotFiledShape(AgainstShape):
    """The text is of none of the sender's templates (R12)."""

    check: Literal["template_not_filed"]


class NoWayOutShape(AgainstShape):
    """The text tells no way to refuse further ones (R30)."""

    check: Literal["no_way_out"]


class NamelessShape(AgainstShape):
    """The text does not name its sender in 【】 (R38), or with `telephone` no number to call."""

    check: Literal["nameless"]
    telephone: bool = False


AnyRule: TypeAlias = Annotated[
    SuspendedShape
    | OtherProvinceShape
    | PurposeMissedShape
    | PublicInterestShape
    | RefusedShape
    | NotAgreedShape
    | UnwantedShape
    | UntimelyShape
    | TooOftenShape
    | TooFastShape
    | NumberWalkShape
    | UnknownNumbersShape
    | SignatureSwitchedShape
    | SignatureNotFiledShape
    | TemplateNotFiledShape
    | NoWayOutShape
    | NamelessShape
    | BadLinkShape
    | ImpostorShape
    | ContactGivenShape
    | SuspiciousShape
    | CampaignShape,
    Field(discriminator="check"),
]

# The shapes by the name of their check. Whoever picks by hand has faults that lie where the
# value lies: pydantic puts the name of the check into their way.
SHAPES: Mapping[str, type[RuleShape]] = {
    get_args(shape.model_fields["check"].annotation)[0]: shape
    for shape in get_args(get_args(AnyRule)[0])
}


class RulesFile(Shape):
    """`rules/*.yaml`."""

    version: Version
    rules: Annotated[list[AnyRule], Field(min_length=1, max_length=MAX_RULES)]


class RulesFrame(Shape):
    """`rules/*.yaml` before its rules are looked at: they may stand in several files."""

    version: Version
    rules: Annotated[list[dict[str, object]], Field(min_length=1, max_length=MAX_RULES)]
