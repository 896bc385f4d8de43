"""What `smsward consent` can be asked for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from gateway.domain.consent import Answer


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
