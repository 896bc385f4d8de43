"""What `smsward filter samples` can be asked for."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from gateway.cli.record_options import By
from gateway.domain.sample import SampleLabel, SampleSource


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class WantedSamples:
    """Which samples to list."""

    label: Annotated[SampleLabel | None, Parameter(help="Only those of this label.")] = None
    category: Annotated[str | None, Parameter(help="Only those of this category, its id.")] = None
    source: Annotated[
        SampleSource | None, Parameter(help="Only those of this kind of verdict.")
    ] = None
    system_id: Annotated[str | None, Parameter(help="Only texts of this SP.")] = None
    before: Annotated[int | None, Parameter(help="Only those older than this number.")] = None
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50


ALL_SAMPLES = WantedSamples()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class SampleVerdict:
    """What somebody says of a text."""

    label: Annotated[SampleLabel, Parameter(help="Whether it is spam.")]
    source: Annotated[
        Literal["audit", "complaint"], Parameter(help="What made somebody look at it.")
    ]
    category: Annotated[
        str, Parameter(show_default=False, help="What spam is about: id, name or alias.")
    ] = ""
    system_id: Annotated[
        str, Parameter(show_default=False, help="The SP that sent it, where that is known.")
    ] = ""
    person: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="A person has written this, it is from no port."
        ),
    ] = False
    by: By = None
