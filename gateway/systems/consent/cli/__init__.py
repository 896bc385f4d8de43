"""`smsward consent`: what subscribers said, looked up, recorded, and as lists."""

# ruff: noqa: PLC0415 - see gateway.terminal

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.consent import Answer
from gateway.terminal.options import (
    MASKED,
    AsJson,
    ConfigDirectory,
    UnmaskOptions,
    ids_or_stdin,
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Scope:
    """To whom an answer was given, and how."""

    system_id: Annotated[str | None, Parameter(help="The SP the answer was given to.")] = None
    all_senders: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="It was given to every SP at once."),
    ] = False
    port: Annotated[str, Parameter(show_default=False, help="Of this port of the SP alone.")] = ""
    category: Annotated[
        str, Parameter(show_default=False, help="Of adverts of this category alone: loan, 房产.")
    ] = ""
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

consent = App(
    name="consent", help="Record and look up what subscribers said (同意与退订).", sort_key=6
)


Numbers = Annotated[
    list[str],
    Parameter(
        name="NUMBER",
        allow_leading_hyphen=True,
        converter=ids_or_stdin,
        negative="",
        help="Numbers, or - to read stdin.",
    ),
]


@consent.command
def refuse(
    numbers: Numbers,
    /,
    *,
    scope: Scope = NO_SCOPE,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Record that subscribers refused (退订). A running gateway obeys within a second.

    A refusal stops messages of the classes of rule R21, commercial ones as shipped, and also
    those that are already held. Verification codes and service messages go on.

    Example: smsward consent refuse --system-id sp1 13800138000 13800138001

    Example: smsward consent refuse --all-senders - < numbers.txt
    """
    return _record(Answer.REFUSED, numbers, scope, config, as_json=as_json)


@consent.command
def agree(
    numbers: Numbers,
    /,
    *,
    scope: Scope = NO_SCOPE,
    until: Annotated[
        str | None,
        Parameter(help="Its last day in China, as 2035-12-31, or a time with its offset."),
    ] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Record that subscribers agreed. It also takes back an earlier refusal of that scope.

    Both only with --evidence: without it the agreement is recorded as asserted, takes no
    refusal back, and counts where the policy accepts that. Given to --all-senders it lifts
    a refusal of every SP, but it is no consent: that has to be given to an SP itself.
    The agreement ends at --until.

    Example: smsward consent agree --system-id sp1 --evidence contract-2013-117
    --until 2035-12-31 13800138000
    """
    return _record(Answer.AGREED, numbers, scope, config, until, as_json=as_json)


@consent.command
def show(
    number: Annotated[str, Parameter(name="NUMBER")],
    /,
    *,
    system_id: Annotated[str | None, Parameter(help="Ask for this SP alone.")] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show what a subscriber said to each SP of senders.yaml, and to all at once.

    Example: smsward consent show 13800138000
    """
    import asyncio

    from gateway.systems.consent.cli.answers import show_answers
    from gateway.terminal.deployment import config_of

    directory = config_of(config)
    return asyncio.run(show_answers(directory, number, system_id, as_json=as_json))


@consent.command(name="import")
def import_lists(
    files: Annotated[list[Path], Parameter(name="FILE", negative="")],
    /,
    *,
    said: AnswerDefaults = NOTHING_SAID,
    rejects: Annotated[
        Path | None, Parameter(help="Write the lines that are not taken here, numbers whole.")
    ] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Record lists of answers, millions of them. It may be repeated, and a gateway may run.

    A list has one number a line, or is CSV whose header names number and any of system_id
    (* is every SP, "sp1 10690001" one port of sp1, "sp1 #loan" one category), answer
    (agreed, refused or asserted; what export calls ended or asserted-ended is read as well),
    since, channel, evidence and until, the last day of an agreement. UTF-8, also gzip. Of two
    answers the later one holds, as always, but an agreement without evidence is asserted: it
    takes nothing back. The exit code is 1 when lines were rejected.

    Example: smsward consent import --all-senders --answer refused refused.txt

    Example: smsward consent import answers.csv.gz --rejects rejects.csv
    """
    import asyncio

    from gateway.systems.consent.cli.answer_import import import_answers
    from gateway.terminal.deployment import config_of

    directory = config_of(config)
    return asyncio.run(import_answers(directory, files, said, rejects, as_json=as_json))


@consent.command(name="export")
def export_list(
    *,
    system_id: Annotated[str | None, Parameter(help="Only answers to this SP.")] = None,
    all_senders: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Only answers to every SP at once."),
    ] = False,
    answer: Annotated[Answer | None, Parameter(help="Only these answers.")] = None,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="Write this file, for its owner alone.")
    ] = None,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
) -> int:
    """Write answers as CSV. Numbers are masked, unless --unmask is given with a --reason.

    With whole numbers it is in the form that import reads.

    Example: smsward consent export --answer refused --unmask --reason "new gateway"
    -o refused.csv
    """
    import asyncio

    from gateway.systems.consent.cli.answers import ExportQuery, described, export_answers
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import is_unmasked

    settings, wanted = load_settings(config), ExportQuery(system_id, all_senders, answer)
    about = described(wanted)
    unmask = asyncio.run(is_unmasked(settings, unmasking, "consent export", about, always=True))
    return asyncio.run(export_answers(settings, wanted, output, config, unmask=unmask))


def _record(
    answer: Answer,
    numbers: list[str],
    scope: Scope,
    config: ConfigDirectory,
    until: str | None = None,
    *,
    as_json: bool,
) -> int:
    import asyncio

    from gateway.systems.consent.cli.answers import record_answers
    from gateway.terminal.deployment import config_of

    directory = config_of(config)
    return asyncio.run(record_answers(directory, answer, numbers, scope, until, as_json=as_json))
