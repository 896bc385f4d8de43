"""Options that belong to one command or group: messages, selections, decisions, audits."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from gateway.domain.authority_report import ReportState
from gateway.domain.quarantine import HoldState
from gateway.terminal.options import NOT_NEGATIVE, AsJson, By


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
class WantedReports:
    """Which reports are meant."""

    state: Annotated[
        ReportState | None,
        Parameter(show_choices=False, help=f"Only those in this state: {', '.join(ReportState)}."),
    ] = None
    system_id: Annotated[str | None, Parameter(help="Only those of this SP.")] = None
    before: Annotated[int | None, Parameter(help="Only those older than this number.")] = None


ALL_REPORTS = WantedReports()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Which records to judge again, and what to compare with."""

    records: Annotated[
        Path | None,
        Parameter(help="The directory of records; by default the one that gateway.yaml names."),
    ] = None
    since: Annotated[
        datetime | None, Parameter(help="From this time on; UTC unless it has an offset.")
    ] = None
    until: Annotated[datetime | None, Parameter(help="Until before this time.")] = None
    sender: Annotated[str | None, Parameter(help="Tell of this SP only.")] = None
    old: Annotated[
        str | None,
        Parameter(
            help="Compare with this bundle in place of the records: a directory, or the number of"
            " a version in `policy history`."
        ),
    ] = None


ALL_RECORDS = ReplayOptions()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class DrawOptions:
    """Which sample is to be drawn."""

    system_id: Annotated[str, Parameter(help="The SP whose asserted answers are sampled.")]
    sample: Annotated[int, Parameter(help="How many to draw, at random.")] = 50
    seed: Annotated[
        int | None,
        Parameter(help="Draw as an earlier audit with this seed did; a new one unless said."),
    ] = None
    by: By = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which audits to list."""

    system_id: Annotated[str | None, Parameter(help="Only those of this SP.")] = None
    before: Annotated[int | None, Parameter(help="Only those older than this number.")] = None
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50


ALL_AUDITS = AuditFilter()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ItemFile:
    """Where the items go: a table unless said."""

    csv: Annotated[
        Path | None, Parameter(help="Write the items as CSV, in a file for its owner alone.")
    ] = None
    as_json: AsJson = False


TABLE = ItemFile()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ItemProofOptions:
    """What the SP could show for one item."""

    proven: Annotated[
        bool, Parameter(negative="", show_default=False, help="There is proof: see --evidence.")
    ] = False
    unproven: Annotated[
        bool, Parameter(negative="", show_default=False, help="There is no proof.")
    ] = False
    evidence: Annotated[
        str,
        Parameter(show_default=False, help="What proves it; or what was shown that does not."),
    ] = ""
    revoke: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="Without proof: count it as refused from now on."
        ),
    ] = False
    by: By = None


NOTHING_FOUND = ItemProofOptions()
