"""What commands can be asked for, where that is more than an option or two."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from gateway.domain.consent import Answer
from gateway.domain.quarantine import HoldState
from gateway.domain.subscription import SubscriptionState

NOT_NEGATIVE = Number(gte=0)

ConfigDirectory = Annotated[
    Path | None,
    Parameter("--config", help="The directory of gateway.yaml and senders.yaml."),
]
PoliciesDirectory = Annotated[
    Path | None,
    Parameter("--policies", help="The directory of the policy bundle."),
]
AsJson = Annotated[
    bool, Parameter("--json", negative="", show_default=False, help="Print JSON, for programs.")
]

Lang = Annotated[
    Literal["zh", "en"],
    Parameter("--lang", help="The language of labels, titles and evidence."),
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Directories:
    """Where configuration and policies are; None means the usual places."""

    config: ConfigDirectory = None
    policies: PoliciesDirectory = None


USUAL_PLACES = Directories()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Submit:
    """The message that is asked about."""

    system_id: Annotated[str, Parameter(help="The SP that submits it.")]
    source: Annotated[str, Parameter("--from", help="Its source_addr, a port of that SP.")]
    destination: Annotated[str, Parameter("--to", help="Its destination_addr, a subscriber.")]
    text: Annotated[str, Parameter(allow_leading_hyphen=True, help="What it says.")]
    data_coding: Annotated[
        int | Literal["auto"],
        Parameter(
            show_choices=False,
            help="How it is encoded: 0 to 255; auto is 0 where that holds the text, else 8.",
        ),
    ] = "auto"
    at: Annotated[
        datetime | None,
        Parameter(help="When it is submitted, as 2025-11-25T22:30+08:00; now unless said."),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Selection:
    """Which held messages to list."""

    # As it is spelled everywhere else: cyclopts would say release-requested.
    state: Annotated[
        HoldState | None,
        Parameter(name_transform=str.lower, help="Only those in this state."),
    ] = None
    system_id: Annotated[str | None, Parameter(help="Only those of this SP.")] = None
    campaign: Annotated[str | None, Parameter(help="Only those of this campaign, by its id.")] = (
        None
    )
    category: Annotated[
        str | None,
        Parameter(
            help="Only those about this, or about what lies below it: id, name or alias of a"
            " category, as loan or 贷款."
        ),
    ] = None
    before: Annotated[str | None, Parameter(help="Only those older than this ID.")] = None
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50


EVERYTHING = Selection()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Whole:
    """The campaign that is decided on as a whole."""

    campaign: Annotated[
        str | None,
        Parameter(help="In place of ids: all that is held of this campaign, by its id."),
    ] = None
    system_id: Annotated[str | None, Parameter(help="Of the campaign only what this SP sent.")] = (
        None
    )


NO_CAMPAIGN = Whole()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Scope:
    """To whom an answer was given, and how."""

    system_id: Annotated[str | None, Parameter(help="The SP the answer was given to.")] = None
    all_senders: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="It was given to every SP at once."),
    ] = False
    channel: Annotated[str, Parameter(help="Which way the answer came.")] = "cli"
    evidence: Annotated[
        str,
        Parameter(
            show_default=False, help="What proves it: message ids, or the digest of a document."
        ),
    ] = ""


NO_SCOPE = Scope()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class AnswerDefaults:
    """What a list of answers does not say itself."""

    system_id: Annotated[str | None, Parameter(help="The SP the answers were given to.")] = None
    all_senders: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="They were given to every SP at once."),
    ] = False
    answer: Annotated[Answer | None, Parameter(help="What the subscribers said.")] = None
    since: Annotated[
        datetime | None,
        Parameter(help="As of when, with an offset; by default when the file was last changed."),
    ] = None
    channel: Annotated[str, Parameter(help="Which way the answers came.")] = "import"
    evidence: Annotated[
        str,
        Parameter(show_default=False, help="What proves them; an agreement is asserted without."),
    ] = ""
    until: Annotated[
        str | None,
        Parameter(help="The last day of the agreements, as 2035-12-31, or a time with its offset."),
    ] = None


NOTHING_SAID = AnswerDefaults()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders of subscribers to list."""

    number: Annotated[str | None, Parameter(help="Only those of this subscriber.")] = None
    system_id: Annotated[str | None, Parameter(help="Only those from this SP.")] = None
    state: Annotated[
        SubscriptionState | None,
        Parameter(
            show_choices=False, help=f"Only those in this state: {', '.join(SubscriptionState)}."
        ),
    ] = None
    limit: Annotated[int, Parameter(help="At most so many.")] = 50


ORDERS = OrderFilter()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ReloadOptions:
    """Who wants policies loaded, and how."""

    by: Annotated[str | None, Parameter(help="Who wants it; noted as said by your account.")] = None
    note: Annotated[str, Parameter(show_default=False, help="Why, for the history.")] = ""
    force: Annotated[
        bool, Parameter(negative="", show_default=False, help="Do it although a guard advises no.")
    ] = False
    wait_s: Annotated[
        float,
        Parameter("--wait", validator=NOT_NEGATIVE, help="Wait so many seconds for the gateway."),
    ] = 10


NO_REASON = ReloadOptions()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class FilingSelector:
    """Which filings of an SP are meant."""

    licence: Annotated[bool, Parameter(negative="", show_default=False, help="Its licence.")] = (
        False
    )
    signature: Annotated[
        list[str] | None, Parameter(negative="", help="Its signature of this name.")
    ] = None
    template: Annotated[
        list[str] | None, Parameter(negative="", help="Its template of this id.")
    ] = None
    scope: Annotated[list[str] | None, Parameter(negative="", help="The scope of this port.")] = (
        None
    )
    approval: Annotated[
        list[str] | None, Parameter(negative="", help="The approval of this reference.")
    ] = None
    everything: Annotated[
        bool, Parameter("--all", negative="", show_default=False, help="All that it has filed.")
    ] = False


NOTHING_NAMED = FilingSelector()
