"""The shapes of the rules that look at what a text says: what it is like, links to, asks for."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, Strict, model_validator

from gateway.domain.categories import category_of
from gateway.domain.traffic import TrafficClass
from gateway.filter.contacts import ContactKind
from gateway.filter.model.harm import Harm
from gateway.filter.urls import registrable_domain
from gateway.settings.names import Id
from gateway.settings.rule_shape import AgainstShape, ClassOf, Fallback
from gateway.settings.schema import Count, Shape, Text
from gateway.settings.senders_file import PortNumber, SystemId
from gateway.settings.spans import Duration

_MAX_DOMAINS = 20_000
_MAX_NAMES = 5_000
_MAX_TOLERANCES = 1_000
_LEAST_WINDOW, _LONGEST_WINDOW = timedelta(minutes=1), timedelta(hours=24)

_SHARE = re.compile("([0-9]{1,2}(?:[.][0-9]{1,4})?) ?%")
_MAX_SHARE = Decimal("0.5")

SHARE_PATTERN = r"^[0-9]{1,2}([.][0-9]{1,4})? ?%$"


def parse_share(value: object) -> float:
    """Return what ``0.5 %`` says, as a share of 1. Raises ValueError for anything else."""
    matched = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise ValueError("must be a share of innocent texts, as: 0.5 %")
    share = Decimal(matched[1]) / 100
    if not 0 < share <= _MAX_SHARE:
        raise ValueError("must be above 0 % and at most 50 %")
    return float(share)


_ShareText: TypeAlias = Annotated[
    str, Field(pattern=SHARE_PATTERN, examples=["0.1 %", "0.5 %", "1 %"])
]
Share = Annotated[float, BeforeValidator(parse_share, json_schema_input_type=_ShareText)]


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


def _is_of_the_tree(identity: str) -> str:
    found = category_of(identity)
    if found is None or found.id != identity:
        raise ValueError("is no category: docs/reference/policies.md lists them")
    return identity


Domain = Annotated[str, AfterValidator(_is_domain)]
Registrable = Annotated[str, AfterValidator(_is_registrable)]
Domains = Annotated[list[Domain], Field(max_length=_MAX_DOMAINS)]
Brands = Annotated[list[Registrable], Field(max_length=_MAX_DOMAINS)]
CategoryId = Annotated[Id, AfterValidator(_is_of_the_tree)]


def _hold_all() -> dict[TrafficClass, Fallback]:
    classes = (TrafficClass.VERIFICATION, TrafficClass.SERVICE, TrafficClass.COMMERCIAL)
    return dict.fromkeys(classes, "quarantine")


def _is_a_day_at_most(span: timedelta) -> timedelta:
    if not _LEAST_WINDOW <= span <= _LONGEST_WINDOW:
        raise ValueError('must be "1m" to "24h": so long campaigns are followed')
    return span


class ContentShape(AgainstShape):
    """A rule that finds reasons for a person to look."""

    action: Literal["reject", "quarantine"] = "quarantine"


class BadLinkShape(ContentShape):
    """The text links to what is blocked, or made to look like a brand's (R61)."""

    check: Literal["bad_link"]
    block: Domains = Field(default_factory=list)
    allow: Domains = Field(default_factory=list)
    brands: Brands = Field(default_factory=list)
    disguised: bool = False
    only_allowed: bool = False
    category: CategoryId = "phishing"

    @model_validator(mode="after")
    def _is_about_something(self) -> "BadLinkShape":
        if not (self.block or self.brands or self.disguised or self.only_allowed):
            raise ValueError("finds nothing: needs block, brands, disguised or only_allowed")
        return self


class ImpostorShape(ContentShape):
    """The signature is made to be taken for one of `names`, or one that is `filed` (R61)."""

    check: Literal["impostor"]
    names: Annotated[list[Text], Field(max_length=_MAX_NAMES)] = Field(default_factory=list)
    filed: bool = False
    category: CategoryId = "fraud"

    @model_validator(mode="after")
    def _is_like_somebody(self) -> "ImpostorShape":
        if not (self.names or self.filed):
            raise ValueError("finds nothing: needs names, or filed: true")
        return self


class ContactGivenShape(ContentShape):
    """The text gives a contact of one of `kinds` (R61)."""

    check: Literal["contact_given"]
    kinds: Annotated[list[Annotated[ContactKind, Strict(False)]], Field(min_length=1)]


class ToleranceShape(Shape):
    """`tolerances[]`: another share for one sender, or for one port, which is the stronger."""

    sender: SystemId | None = None
    port: PortNumber | None = None
    tolerates: Share
    because: Text | None = None

    @model_validator(mode="after")
    def _is_of_one(self) -> "ToleranceShape":
        if (self.sender is None) == (self.port is None):
            raise ValueError("must name either a sender or a port")
        return self


class SuspiciousShape(ContentShape):
    """The classifier finds the text like spam, at the share of innocent texts it may take (R61)."""

    check: Literal["suspicious"]
    on_error: dict[ClassOf, Fallback] = Field(default_factory=_hold_all)
    tolerates: Share
    tolerances: Annotated[list[ToleranceShape], Field(max_length=_MAX_TOLERANCES)] = Field(
        default_factory=list
    )
    actions: dict[Annotated[Harm, Strict(False)], Fallback] = Field(default_factory=dict)


class CampaignShape(ContentShape):
    """Much the same text went to many `people` without consent, `within` a while (R61).

    From all senders together, or, with `each_sender`, from one.
    """

    check: Literal["campaign"]
    people: Count
    within: Annotated[Duration, AfterValidator(_is_a_day_at_most)]
    accept_asserted: bool = False
    each_sender: bool = False
