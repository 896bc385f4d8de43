"""`smsward cases`: campaigns that subscribers complain of, and who does what by when."""

# ruff: noqa: PLC0415 - see gateway.terminal

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import file_digest
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.categories import category_of
from gateway.domain.linkage import organisation_of
from gateway.domain.warning import Severity
from gateway.runtime.clock import utcnow
from gateway.systems.cases.cli.case_list import list_cases
from gateway.systems.cases.model import (
    Actor,
    CaseComplaint,
    CaseFeedback,
    CaseFinding,
    CaseMeasure,
    ClockProfile,
    MeasureKind,
    PlainAct,
    Recheck,
)
from gateway.terminal.failure import ExitCode, misused
from gateway.terminal.options import (
    USUAL_PLACES,
    AsJson,
    By,
    ConfigDirectory,
    Directories,
    acting,
    is_by,
    person_here,
)
from gateway.terminal.screen import (
    print_fields,
    print_json,
    print_listed,
    print_result,
    print_table,
    visible,
)

Number = Annotated[int, Parameter(name="NUMBER", help="The number of a case, as listed.")]
Note = Annotated[
    str,
    Parameter(show_default=False, help="What to note in its journal; mobile numbers are masked."),
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ComplaintOptions:
    """A complaint, as far as its case is concerned."""

    campaign: Annotated[str, Parameter(help="The campaign: the fingerprint of the text.")]
    sender: Annotated[str, Parameter(help="The port or number that the subscriber saw.")]
    category: Annotated[str, Parameter(show_default=False, help="What the text is about.")] = ""
    severity: Annotated[Severity, Parameter(help="How grave it is.")] = Severity.GENERAL
    profile: Annotated[ClockProfile, Parameter(help="Whose time limits hold.")] = (
        ClockProfile.CN_O31
    )


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """A measure."""

    kind: Annotated[MeasureKind, Parameter(help="What was done.")]
    about: Annotated[str, Parameter(help="The port, number or SP that it was done to.")]
    at: Annotated[
        datetime | None, Parameter(help="When, UTC unless it has an offset; now without it.")
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class FeedbackOptions:
    """What the owner found."""

    finding: Annotated[CaseFinding, Parameter(help="What was found.")]
    evidence: Annotated[str, Parameter(show_default=False, help="Where the evidence is.")] = ""
    system_id: Annotated[str, Parameter(show_default=False, help="The SP that it came from.")] = ""
    answer: Annotated[str, Parameter(show_default=False, help="What the subscribers are told.")] = (
        ""
    )


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class CaseNoteOptions:
    """What is noted in the journal, and by whom."""

    note: Note = ""
    by: By = None

    def actor(self) -> Actor:
        """Return who acts now."""
        return Actor(acting(self.by), utcnow(), self.note.strip())


_NO_NOTE = CaseNoteOptions()

cases = App(name="cases", help="Work on cases (派单) of complaints.", sort_key=5)


@cases.command(name="open")
def open_case(
    complaint: Annotated[int, Parameter(name="COMPLAINT", help="The number of the complaint.")],
    /,
    *,
    about: ComplaintOptions,
    by: By = None,
    places: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Put a complaint into the case of its campaign, or open one.

    Complaints of one campaign are one case, from any sender, until 72 hours pass without one. A
    complaint within 30 days after the end opens the case again, with a higher severity.

    Example: smsward cases open 118 --campaign 5f1c0a9b7d3e2468 --sender 1069000112 --category loan
    """
    from gateway.systems.cases.cli.case_work import on_desk
    from gateway.terminal.deployment import load_settings

    category = category_of(about.category)
    if about.category and category is None:
        raise misused(f"--category: there is no category {about.category}")
    node = load_settings(places.config).node
    one = CaseComplaint(
        complaint,
        about.campaign,
        about.sender,
        None,
        utcnow(),
        organisation_of(node.carrier, node.province),
        "" if category is None else category.id,
        about.severity,
        about.profile,
    )
    (joined,) = on_desk(places, lambda desk: desk.take([one], acting(by)))
    did = {"open": "opened", "reopen": "opened again", "join": "joined"}
    line = f"case {joined.case_number}: {did.get(joined.act, 'it is there already')}"
    print_result(joined._asdict(), line, as_json=as_json)
    return ExitCode.FINE


cases.command(list_cases, name="list")


@cases.command
def show(number: Number, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show one case: its clocks, measures, newest complaints, and its journal. Numbers are masked.

    Example: smsward cases show 7
    """
    from gateway.systems.cases.cli.case_work import (
        JOURNAL_COLUMNS,
        described_whole,
        entry_row,
        fields_of,
        whole_case,
    )

    case, complaints, journal = whole_case(config, number)
    if as_json:
        print_json(described_whole(case, complaints, journal, utcnow()))
        return ExitCode.FINE
    print_fields(fields_of(case, complaints, utcnow()))
    print_table(JOURNAL_COLUMNS, map(entry_row, journal))
    return ExitCode.FINE


@cases.command
def act(
    number: Number,
    what: Annotated[str, Parameter(name="ACT", help=f"What is done: {', '.join(PlainAct)}.")],
    /,
    *,
    to: Annotated[str, Parameter(show_default=False, help="The owner, as carrier/province.")] = "",
    noted: CaseNoteOptions = _NO_NOTE,
    places: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Do to a case what its state allows, and note who did it.

    dispatch sends it to the owner, who has 24 hours to accept or to refuse it as "not mine", which
    may suggest another. Refused for the third time, or without a suggestion, it is for arbitration:
    assign decides. incomplete and duplicate refuse it, too, for a person to decide. query asks its
    owner, or the carrier that sent it, what --note says. verify begins to look into it; tell notes
    that the subscribers know; close ends it, reopen within 30 days; return notes what the authority
    answered; note adds a note.

    Example: smsward cases act 7 dispatch --to telecom/广东 --by lin
    """
    from gateway.systems.cases.cli.case_work import done

    if what not in set(PlainAct):  # not by its type: an unknown option is told first
        raise misused(f"ACT is one of {', '.join(PlainAct)}")
    who = noted.actor()
    return done(places, lambda desk: desk.act(PlainAct(what), number, to, who), as_json=as_json)


@cases.command
def measure(
    number: Number,
    /,
    *,
    taken: MeasureOptions,
    noted: CaseNoteOptions = _NO_NOTE,
    places: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Note a measure that was taken. The time of the last one stops the clock of the feedback.

    Example: smsward cases measure 7 --kind port_suspended --about 1069000112
    """
    from gateway.systems.cases.cli.case_work import done
    from gateway.terminal.arguments import moment_of, said

    who = noted.actor()
    at = who.at if taken.at is None else moment_of(taken.at)
    one = CaseMeasure(taken.kind, at, said(taken.about)[:64])
    return done(places, lambda desk: desk.measure(number, one, who), as_json=as_json)


@cases.command
def feedback(
    number: Number,
    /,
    *,
    found: FeedbackOptions,
    noted: CaseNoteOptions = _NO_NOTE,
    places: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Note what was found. Confirmed needs --evidence, and a measure noted before.

    Example: smsward cases feedback 7 --finding confirmed --evidence "records 2013-09-27, line 118"
    --system-id shop --answer 已停用该端口
    """
    from gateway.systems.cases.cli.case_work import done

    given = CaseFeedback(
        found.finding, (), found.evidence.strip(), found.system_id[:16], found.answer.strip()
    )
    who = noted.actor()
    return done(places, lambda desk: desk.feedback(number, given, who), as_json=as_json)


@cases.command
def refer(
    number: Number,
    /,
    *,
    authority: Annotated[str, Parameter(help="To whom it goes, as police.")],
    note: Note = "",
    places: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Approve that a case of illegal content goes to an authority; two persons must.

    Each calls it from a login of their own: here no --by is believed, and no account that several
    persons may become.

    Example: smsward cases refer 7 --authority police
    """
    from gateway.systems.cases.cli.case_work import done

    who = Actor(person_here("approve"), utcnow(), note.strip())
    return done(places, lambda desk: desk.refer(number, authority, who), as_json=as_json)


@cases.command
def attach(
    number: Number,
    file: Annotated[Path, Parameter(name="FILE", help="What belongs to the case: a picture, say.")],
    /,
    *,
    noted: CaseNoteOptions = _NO_NOTE,
    places: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Note the SHA-256 of a file in the journal; keep the file itself with your papers.

    So the file can be told to be the one, for as long as the case is kept.

    Example: smsward cases attach 7 screen.png --note "the subscriber's picture of it"
    """
    from gateway.systems.cases.cli.case_work import done

    try:
        with file.open("rb") as opened:
            digest = file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise misused(f"FILE: {visible(str(file))}: {error.strerror}") from error
    who = noted.actor()
    return done(places, lambda desk: desk.attach(number, digest, who), as_json=as_json)


@cases.command
def draw(
    *,
    share: Annotated[float, Parameter(help="How many of a hundred, from 5 to 100.")] = 5.0,
    days: Annotated[int, Parameter(help="Of those closed within so many days.")] = 30,
    by: By = None,
    places: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Draw closed cases by chance for a second look: with those drawn before, 5 % of all.

    Run it each day: only what is missing is drawn. `cases list --recheck drawn` lists them.

    Example: smsward cases draw --share 10 --days 7
    """
    from gateway.systems.cases.cli.case_work import COLUMNS, described, on_desk, row_of

    if not 5 <= share <= 100 or not 1 <= days <= 365:
        raise misused("--share is from 5 to 100, --days from 1 to 365")
    now = utcnow()
    who = Actor(acting(by), now)
    since = now - timedelta(days=days)
    drawn = on_desk(places, lambda desk: desk.draw(since, share, who))
    shown, rows = [described(one, now) for one in drawn], [row_of(one, now) for one in drawn]
    print_listed(shown, COLUMNS, rows, "enough were drawn already", as_json=as_json)
    return ExitCode.FINE


@cases.command
def recheck(
    number: Number,
    result: Annotated[str, Parameter(name="RESULT", help="What was found: agreed or reversed.")],
    /,
    *,
    note: Note = "",
    places: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Note what the second look at a drawn case found. Reversed opens it again, within 30 days.

    It is for a person who did not work on the case: who is logged in counts.

    Example: smsward cases recheck 7 reversed --note "the port is still in use"
    """
    from gateway.systems.cases.cli.case_work import done

    if result not in (Recheck.AGREED, Recheck.REVERSED):
        raise misused("RESULT is agreed or reversed")
    who = Actor(person_here("look"), utcnow(), note.strip())
    is_same = partial(is_by, who.by)
    return done(
        places, lambda desk: desk.recheck(number, Recheck(result), who, is_same), as_json=as_json
    )
