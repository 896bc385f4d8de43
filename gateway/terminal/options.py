"""Options of commands, most of them shared by several, and the account that acts."""

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import ArgumentCollection, Parameter, Token, UnknownOptionError
from cyclopts.validators import Number

from gateway.domain.quarantine import HoldState
from gateway.terminal.failure import CommandError, misused
from gateway.terminal.screen import visible

NOT_NEGATIVE = Number(gte=0)
NO_OPTIONS = ArgumentCollection()  # type: ignore[no-untyped-call]


def ids_or_stdin(_type: type, tokens: Sequence[Token]) -> list[str]:
    """Return ids or numbers as they were typed; a lone hyphen stands for the standard input.

    A parameter with `allow_leading_hyphen`, which that hyphen needs, takes options that there are
    not for values. Raises UnknownOptionError for the first of them.
    """
    for token in tokens:
        if token.value != "-" and is_option(token.value):
            raise UnknownOptionError(token=token, argument_collection=NO_OPTIONS)
    return [token.value for token in tokens]


def is_option(word: str) -> bool:
    """Tell whether a word of a command line is spelled as an option; ``-5`` is a number."""
    return word.startswith("-") and not word[1:2].isdigit()


# What is said by its name alone, and not taken back.
FLAG = Parameter(negative="", show_default=False)

# So many at most are listed at once.
_MAX_LISTED = 10_000


def limited(limit: int, advice: str = "", maximum: int = _MAX_LISTED) -> int:
    """Return how many are to be listed. Raises CommandError for none and for too many."""
    if not 1 <= limit <= maximum:
        raise misused(f"--limit: 1 to {maximum}", advice)
    return limit


ConfigDirectory = Annotated[
    Path | None,
    Parameter("--config", help="The directory of gateway.yaml and senders.yaml."),
]
PoliciesDirectory = Annotated[
    Path | None,
    Parameter("--policies", help="The directory of the policy bundle."),
]
Level = Literal["debug", "info", "warning", "error"]
AsJson = Annotated[bool, FLAG, Parameter("--json", help="Print JSON, for programs.")]
Lang = Annotated[
    Literal["zh", "en"],
    Parameter("--lang", help="The language of labels, titles and evidence."),
]
By = Annotated[str | None, Parameter(help="Who does it; noted as said by your account.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Directories:
    """Where configuration and policies are; None means the usual places."""

    config: ConfigDirectory = None
    policies: PoliciesDirectory = None


USUAL_PLACES = Directories()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class UnmaskOptions:
    """Whether whole numbers and texts are to be seen, and why."""

    unmask: Annotated[bool, FLAG, Parameter(help="Whole numbers and texts; is journaled.")] = False
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


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class RecordQuery:
    """Which records to show."""

    message_id: Annotated[
        str | None, Parameter(help="Only of this message: an id of the SMSC or of the gateway.")
    ] = None
    sender: Annotated[str | None, Parameter(help="Only of this SP.")] = None
    port: Annotated[
        str | None, Parameter(help="Only from or to this port; 1069* is all that begin so.")
    ] = None
    since: Annotated[
        datetime | None, Parameter("--from", help="From this time on; UTC unless it has an offset.")
    ] = None
    until: Annotated[datetime | None, Parameter("--to", help="Until before this time.")] = None
    limit: Annotated[int, Parameter(help="The last so many.")] = 50


LAST_RECORDS = RecordQuery()

_MAX_NAME_CHARS = 64
_LOGIN_UID = Path("/proc/self/loginuid")
_NO_LOGIN = 2**32 - 1  # what the kernel says of a process that no login started


def acting(by: str | None) -> str:
    """Return who acts: the account, and the person it claims to act for; never empty.

    What stands there is the kernel's word: ``smsward``, or ``smsward (login lin)`` for who logged
    in as lin and became smsward. A name given with --by is only said, and noted as that:
    ``wu (said by smsward, login lin)``. No environment variable is read.
    """
    account, login = _name_of(os.getuid()), login_name()
    said = visible((by or "").strip())[:_MAX_NAME_CHARS]
    beside = "" if login in ("", account) else f"login {login}"
    if said and said != account:
        # Last, whatever the name says of itself.
        return f"{said} (said by {', '.join(filter(None, (account, beside)))})"
    return f"{account} ({beside})" if beside else account


def person_here(do: str) -> str:
    """Return the login of the person who acts, for what an account alone may not do.

    Raises CommandError without one; `do` is what to do after logging in.
    """
    login = login_name()
    if not login:
        raise CommandError(
            "no login started this process, and an account alone is no person",
            advice=f"log in to this machine as yourself, then {do}",
        )
    return login


def is_by(login: str, acted: str) -> bool:
    """Tell whether `acted`, as `acting` says it, names the person who is logged in as `login`."""
    ends = f"(login {login})", f", login {login})", f"(said by {login})"
    return acted == login or acted.endswith(ends)


def login_name() -> str:
    """Return the account of the login that started this process, "" where there was none.

    It stays with the process through su and sudo (Linux, proc_pid_loginuid(5)). A process that
    no login started may set it once, so it is noted beside the account, never in its place.
    """
    try:
        uid = int(_LOGIN_UID.read_text("ascii"))
    except (OSError, ValueError):  # no Linux, or no /proc
        return ""
    return "" if uid == _NO_LOGIN else _name_of(uid)


def _name_of(uid: int) -> str:
    try:
        return visible(pwd.getpwuid(uid).pw_name)[:_MAX_NAME_CHARS] or f"uid {uid}"
    except KeyError:  # a container's user need not have a name
        return f"uid {uid}"


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
class DecisionOptions:
    """Who decides on held messages, and why."""

    by: Annotated[str | None, Parameter(help="Who decides; noted as said by your account.")] = None
    note: Annotated[
        str, Parameter(show_default=False, help="Why; kept with the decision on each message.")
    ] = ""
    undo_for_s: Annotated[
        float,
        Parameter(
            "--undo-for",
            validator=NOT_NEGATIVE,
            help="Let it take effect so many seconds later; it can be undone until then.",
        ),
    ] = 0


NOT_SAID_WHY = DecisionOptions()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ReloadOptions:
    """Who wants policies loaded, and how."""

    by: Annotated[str | None, Parameter(help="Who wants it; noted as said by your account.")] = None
    note: Annotated[str, Parameter(show_default=False, help="Why, for the history.")] = ""
    force: Annotated[bool, FLAG, Parameter(help="Do it although a guard advises no.")] = False
    wait_s: Annotated[
        float,
        Parameter("--wait", validator=NOT_NEGATIVE, help="Wait so many seconds for the gateway."),
    ] = 10


NO_REASON = ReloadOptions()


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
    rule: Annotated[
        str | None,
        Parameter(help="Tell only of verdicts that this rule or list decided, or would decide."),
    ] = None
    progress: Annotated[
        bool, FLAG, Parameter(help="Print octets that are read, as done/all, on standard error.")
    ] = False
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
class HitOptions:
    """Which findings to count."""

    since: Annotated[
        str,
        Parameter(help="So long back, as 24h or 7d, or from a time on, as 2025-11-25T08:00."),
    ] = "24h"
    rule: Annotated[str | None, Parameter(help="Only of this rule or list.")] = None
    sender: Annotated[str | None, Parameter(help="Only of this SP.")] = None
    records: Annotated[
        Path | None,
        Parameter(help="The directory of records; by default the one that gateway.yaml names."),
    ] = None


LAST_DAY = HitOptions()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class AdviceOptions:
    """Which records to ask for advice."""

    since: Annotated[
        str, Parameter(help="So long back, as 24h or 7d, or from a time on, as 2025-11-25T08:00.")
    ] = "7d"
    records: Annotated[
        Path | None,
        Parameter(help="The directory of records; by default the one that gateway.yaml names."),
    ] = None


LAST_WEEK = AdviceOptions()
