"""What the shapes of all rules have in common."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Strict, model_validator

from gateway.domain.policy import Enforcement
from gateway.domain.traffic import TrafficClass
from gateway.domain.warning import Severity, WarningCode
from gateway.settings.names import Id
from gateway.settings.schema import Shape, Text
from gateway.settings.senders_file import PortNumber, SystemId
from gateway.smpp.status import CommandStatus

_MAX_OVERRIDES = 1_000

# What can be done with a message that could not be judged.
Fallback = Literal["reject", "quarantine", "forward"]


def _is_error_status(name: str) -> str:
    # ESME_ROK would tell the SP that a refused message was accepted.
    if name not in CommandStatus.__members__ or name == CommandStatus.ESME_ROK.name:
        raise ValueError("not the name of an error status, as ESME_RSUBMITFAIL is")
    return name


def _stop_commercial() -> dict[TrafficClass, Fallback]:
    return {TrafficClass.COMMERCIAL: "reject"}


Mode = Annotated[Enforcement, Strict(False)]
ClassOf = Annotated[TrafficClass, Strict(False)]
Classes = Annotated[list[ClassOf], Field(min_length=1)]


class TitleShape(Shape):
    """`title`: what the rule is called, in Chinese and English."""

    zh: Text
    en: Text


class OverrideShape(Shape):
    """`overrides[]`: another mode for one sender, or for one port, which is the stronger."""

    sender: SystemId | None = None
    port: PortNumber | None = None
    mode: Mode
    because: Text | None = None

    @model_validator(mode="after")
    def _is_of_one(self) -> "OverrideShape":
        if (self.sender is None) == (self.port is None):
            raise ValueError("must name either a sender or a port")
        return self


class RuleShape(Shape):
    """What every rule has."""

    id: Id
    title: TitleShape
    article: Text
    mode: Mode = Enforcement.SHADOW
    applies_to: Classes = Field(default_factory=lambda: [TrafficClass.COMMERCIAL])
    overrides: Annotated[list[OverrideShape], Field(max_length=_MAX_OVERRIDES)] = Field(
        default_factory=list
    )


class FindingShape(RuleShape):
    """What every rule has that finds against messages."""

    status: Annotated[str, AfterValidator(_is_error_status)] | None = None
    on_error: dict[ClassOf, Fallback] = Field(default_factory=_stop_commercial)
    warning: Annotated[WarningCode, Strict(False)] | None = None
    severity: Annotated[Severity, Strict(False)] | None = None


class AgainstShape(FindingShape):
    """A rule that refuses, or asks for a person."""

    action: Literal["reject", "quarantine"] = "reject"


class SlowingShape(FindingShape):
    """A rule that a sender may try again after a while."""

    action: Literal["throttle", "reject", "quarantine"] = "throttle"
