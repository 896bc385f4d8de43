"""What the commands about records can be asked for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

By = Annotated[str | None, Parameter(help="Who does it; noted as said by your account.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class UnmaskOptions:
    """Whether whole numbers and texts are to be seen, and why."""

    unmask: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Whole numbers and texts; is journaled."),
    ] = False
    reason: Annotated[
        str, Parameter(show_default=False, help="Why they must be seen, for the journal.")
    ] = ""


MASKED = UnmaskOptions()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Period:
    """Which records are meant."""

    since: Annotated[
        datetime, Parameter("--from", help="From this time on; UTC unless it has an offset.")
    ]
    until: Annotated[datetime, Parameter("--to", help="Until before this time.")]
    sender: Annotated[str | None, Parameter(help="Only of this SP.")] = None
    number: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="Only of this subscriber.")
    ] = None
