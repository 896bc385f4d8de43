"""What `smsward policy replay` can be asked for."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


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
