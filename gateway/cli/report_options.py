"""What the commands about reports to the authority can be asked for."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from gateway.domain.authority_report import ReportState


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
