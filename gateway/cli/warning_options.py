"""What `smsward warnings` can be asked for."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from gateway.domain.warning import WarningCode, WarningState


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class WarningQuery:
    """Which warnings to list."""

    system_id: Annotated[str | None, Parameter(help="Only those of this SP.")] = None
    code: Annotated[
        WarningCode | None,
        # As codes are written everywhere else: cyclopts would say w1.
        Parameter(
            "--code",
            name_transform=str.upper,
            show_choices=False,
            help="Only those of this code: W1 to W13.",
        ),
    ] = None
    state: Annotated[
        WarningState | None,
        Parameter(show_choices=False, help=f"Only those in this state: {', '.join(WarningState)}."),
    ] = None
    violations: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Only violations, the grave ones."),
    ] = False
    before: Annotated[int | None, Parameter(help="Only those older than this NUMBER.")] = None
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50


ALL_WARNINGS = WarningQuery()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class WarningNoteOptions:
    """What is noted of a warning, and by whom."""

    note: Annotated[str, Parameter(help="What was found, or what the SP says.")]
    by: Annotated[str | None, Parameter(help="Who notes it; noted as said by your account.")] = None
