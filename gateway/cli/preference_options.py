"""What the commands of `smsward preferences` can be asked for."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from gateway.domain.preferences import PreferenceKind

Number = Annotated[
    str, Parameter("--number", allow_leading_hyphen=True, help="The subscriber's number.")
]
By = Annotated[str | None, Parameter(help="Who changes it; noted as said by your account.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class PreferenceSelector:
    """Whose preference, and what it looks at."""

    number: Number
    # As it is spelled everywhere else: cyclopts would say quiet-hours.
    kind: Annotated[
        PreferenceKind,
        Parameter(
            name_transform=str.lower,
            show_choices=False,
            help=f"What it looks at: {', '.join(PreferenceKind)}.",
        ),
    ]
    value: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="A number or 1069*, a word, a category, commercial or service, 22:00-08:00.",
        ),
    ]
    by: By = None
