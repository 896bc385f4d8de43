"""`complaints`, `sanctions` and `xarf` of gateway.yaml: what follows complaints and violations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from gateway.domain.sanction import SanctionLadder, SanctionStep
from gateway.domain.sender import Webhook
from gateway.domain.suspension import ComplaintThreshold
from gateway.policy.complaint_words import ComplaintFormat
from gateway.settings.credentials import webhook_key_problem
from gateway.settings.schema import (
    Id,
    MailAddress,
    ReadAs,
    Section,
    Text,
    matching,
    url_problem,
    without,
)

_DOMAIN = "must be a domain in small letters, as unicom.example"
HubCode = Annotated[str, matching("[0-9]{3,20}", "must be 3 to 20 digits")]


def _not_alone(reporters: int) -> int:
    if reporters == 1:
        raise ValueError("must be 2 or more, or 0 for never: one subscriber suspends no port")
    return reporters


@dataclass(frozen=True, slots=True)
class ComplaintSettings(Section):
    """`complaints`: the codes that subscribers report spam to, each with its format (R80).

    So many `reporters` within so many `days` suspend a port (R88); 0 never do.
    """

    codes: Annotated[
        Mapping[str, ComplaintFormat],
        ReadAs(
            Annotated[
                dict[HubCode, Annotated[ComplaintFormat, Strict(False)]], Field(max_length=64)
            ],
            dict,
        ),
    ] = field(default_factory=dict)
    reporters: Annotated[int, Field(ge=0, le=10_000), AfterValidator(_not_alone)] = 5
    days: Annotated[int, Field(ge=1, le=90)] = 10

    @property
    def threshold(self) -> ComplaintThreshold:
        """Return how many reporters within how many days suspend a port."""
        return ComplaintThreshold(self.reporters, self.days)

    @property
    def formats(self) -> Mapping[bytes, ComplaintFormat]:
        """Return the formats by the octets of an address."""
        return {code.encode(): form for code, form in self.codes.items()}


_LADDER = SanctionLadder()
Steps = Annotated[
    tuple[SanctionStep, ...],
    ReadAs(
        Annotated[list[Annotated[SanctionStep, Strict(False)]], Field(min_length=1, max_length=16)],
        tuple,
    ),
]


@dataclass(frozen=True, slots=True)
class SanctionSettings(Section):
    """`sanctions`: the steps that follow violations of each severity (R96).

    What was applied within `window_days` counts; steps in `automatic` need no person.
    """

    general: Steps = _LADDER.general
    serious: Steps = _LADDER.serious
    major: Steps = _LADDER.major
    window_days: Annotated[int, Field(ge=1, le=1000)] = 180
    automatic: Annotated[
        tuple[SanctionStep, ...],
        ReadAs(Annotated[list[Annotated[SanctionStep, Strict(False)]], Field(max_length=3)], tuple),
    ] = ()

    @property
    def ladder(self) -> SanctionLadder:
        """Return the ladder."""
        window, automatic = timedelta(days=self.window_days), frozenset(self.automatic)
        return SanctionLadder(self.general, self.serious, self.major, window, automatic)


@dataclass(frozen=True, slots=True)
class XarfWebhook(Section):
    """`xarf.webhooks[]`: where somebody takes abuse reports over HTTP."""

    name: Id
    url: Annotated[str, without(url_problem)]
    key: Annotated[str, without(webhook_key_problem)] = field(repr=False)

    @property
    def webhook(self) -> Webhook:
        """Return it as a webhook to post to."""
        return Webhook(self.url, self.key)


@dataclass(frozen=True, slots=True)
class XarfSettings(Section):
    """`xarf`: who reports abuse to those outside the linkage, and to which webhooks (R90)."""

    org: Text
    contact: MailAddress
    domain: Annotated[
        str, matching(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,}", _DOMAIN)
    ]
    webhooks: Annotated[
        tuple[XarfWebhook, ...],
        ReadAs(Annotated[list[XarfWebhook], Field(max_length=64)], tuple),
    ] = ()
