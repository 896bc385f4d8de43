"""What the commands about audits of asserted consents can be asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gateway.cli.options import AsJson
from gateway.cli.record_options import By


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
