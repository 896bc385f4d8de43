"""What commands can be asked for, where that is more than an option or two."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from gateway.domain.quarantine import HoldState

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


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Selection:
    """Which held messages to list."""

    state: Annotated[HoldState | None, Parameter(help="Only those in this state.")] = None
    system_id: Annotated[str | None, Parameter(help="Only those of this SP.")] = None
    before: Annotated[str | None, Parameter(help="Only those older than this ID.")] = None
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50


EVERYTHING = Selection()


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


NO_SCOPE = Scope()
