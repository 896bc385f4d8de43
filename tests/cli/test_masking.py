"""Who may see whole numbers: of every command, what it prints and what it writes (R73)."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.console.held_review import masked_numbers
from gateway.domain.authority_report import NewAuthorityReport
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.records import NewAccess, Row, Why
from gateway.domain.subscription import (
    Cycle,
    Event,
    MessageEvidence,
    Subscription,
    SubscriptionAct,
    Terms,
    advance,
)
from gateway.domain.suspension import NewPortSuspension, NewSuspension
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.hours import HolidayCalendar
from gateway.records.lines import RecordLines
from gateway.records.writer import HourFiles
from gateway.runtime.clock import utcnow
from gateway.storage.errors import StoreUnavailable
from gateway.storage.journals import SqlJournals
from gateway.stores import Stores
from gateway.systems.cases.model import (
    Actor,
    CaseComplaint,
    CaseFeedback,
    CaseFinding,
    CaseMeasure,
    MeasureKind,
    PlainAct,
)
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.model import Complaint, ComplaintSource
from gateway.systems.consent_audits.model import AuditItem, NewConsentAudit
from gateway.systems.learning.model import SampleLabel, SampleSource
from gateway.systems.learning.person_verdicts import PersonVerdict, learnt_from
from gateway.systems.quarantine.campaigns import CampaignDesk
from gateway.systems.quarantine.decisions import ReviewDesk
from gateway.systems.quarantine.exceptions import ExceptionDesk
from gateway.systems.quarantine.model import NewCampaignReview, NewReview, PersonDecision
from gateway.systems.subscriptions.model import Changes, SubscriptionStep
from gateway.terminal.options import acting
from tests.cli.test_reference import DESCRIBED

Cli = Callable[..., CompletedProcess[str]]
Hold = Callable[..., object]
InStore = Callable[..., None]

NUMBER, MSISDN, FRIEND = "13800138000", 8613800138000, "13911112222"
HELD, OF_A_PERSON = "8176407200000001000", "8176407200000001001"
CAMPAIGN, OTHER_CAMPAIGN = "c0123456789abcdef", "c0123456789abcde0"
DECIDED = "8176407200000001002"  # on which a decision waits
NOON = datetime(2013, 9, 30, 12, tzinfo=UTC)
WHY = ("--unmask", "--reason", "case 2013-118")
PERIOD = ("--from", "2013-09-30", "--to", "2013-10-01")
SINCE = ("--since", "2013-09-30")

# What each command that has to do with numbers is asked here, most of it twice: for people
# and for programs. `{}` is a folder to write into.
SHOWING: dict[str, list[tuple[str, ...]]] = {
    "quarantine list": [(), ("--json",), ("--campaign", CAMPAIGN), ("--category", "loan")],
    "quarantine show": [(HELD,), (HELD, "--json"), (OF_A_PERSON,), (OF_A_PERSON, "--json")],
    "quarantine release": [
        (HELD, "--wait", "0"),
        (HELD, "--wait", "0", "--json"),
        ("--campaign", CAMPAIGN, "--wait", "0"),
    ],
    "quarantine discard": [(HELD,), (OF_A_PERSON, "--json"), ("--campaign", CAMPAIGN)],
    "quarantine undo": [(DECIDED,), (DECIDED, "--json"), ("--job", "1")],
    "quarantine campaigns": [(), ("--json",)],
    "quarantine jobs": [(), ("--json",)],
    "quarantine agreement": [(), ("--json",), ("--days", "366", "--json")],
    "quarantine except": [(HELD, "--note", f"asked {NUMBER}", "--json")],
    "quarantine exceptions": [(), ("--json",)],
    "quarantine revoke": [("1",)],
    "complaints list": [(), ("--json",)],
    "complaints show": [("1",), ("1", "--json")],
    "complaints match": [("--once",), ("--once", "--json")],
    "warnings watch": [("--once",), ("--once", "--json")],
    "complaints status": [(NUMBER,), (NUMBER, "--json")],
    "consent refuse": [("--system-id", "shop", NUMBER)],
    "consent agree": [("--system-id", "shop", "--evidence", "letter 7", NUMBER)],
    "consent show": [(NUMBER,), (NUMBER, "--json")],
    "consent import": [("{}/list.txt", "--all-senders", "--answer", "refused")],
    "complaints add": [
        ("10690001", "--file", "{}/complaints.txt", "--reporter", NUMBER),
        (FRIEND, "--file", "{}/complaints.txt", "--reporter", NUMBER, "--json"),
    ],
    "complaints import": [
        ("{}/complaints.txt", "--source", "12321"),
        ("{}/complaints.txt", "--source", "cs", "--json", "--rejects", "{}/rejects.csv"),
    ],
    "consent export": [(), ("-o", "{}/answers.csv")],
    "consent audit draw": [
        ("--system-id", "bank"),
        ("--system-id", "bank", "--json", "--csv", "{}/sample.csv"),
    ],
    "consent audit show": [("1",), ("1", "--json", "--csv", "{}/sample.csv")],
    "consent audit answer": [("1", "--item", "1", "--unproven", "--revoke")],
    "notices next": [("--system-id", "shop"), ("--system-id", "shop", "--json")],
    "subscription list": [(), ("--json",)],
    "subscription show": [(NUMBER,), (NUMBER, "--json")],
    "preferences show": [
        ("--number", NUMBER),
        ("--number", NUMBER, "--json"),
        ("--number", NUMBER, "--journal"),
    ],
    "preferences set": [("--number", NUMBER, "--kind", "number", "--value", FRIEND)],
    "preferences remove": [("--number", NUMBER, "--kind", "number", "--value", FRIEND)],
    "preferences export": [("--number", NUMBER), ("--number", NUMBER, "-o", "{}/wanted.json")],
    "preferences delete": [("--number", NUMBER)],
    "preferences holds": [(NUMBER,), (NUMBER, "--json")],
    "reports list": [(), ("--json",)],
    "reports show": [("1",), ("1", "--json")],
    "reports export": [("{}/reports.json",)],
    "cases open": [("9", "--campaign", "c1", "--sender", NUMBER, "--json")],
    "cases list": [(), ("--json",), ("--reporter", NUMBER, "--sender", FRIEND, "--json")],
    "cases show": [("1",), ("1", "--json")],
    "cases act": [("1", "note", "--note", "asked the SP", "--json")],
    "cases measure": [("1", "--kind", "number_suspended", "--about", FRIEND, "--json")],
    "cases feedback": [("1", "--finding", "confirmed", "--evidence", "line 118", "--json")],
    "cases attach": [("1", "{}/list.txt", "--json")],
    "cases draw": [("--json",)],
    "cases recheck": [("2", "agreed", "--json")],
    "cases refer": [("1", "--authority", "police", "--json")],
    "suspension add": [(NUMBER, "--note", "case 12"), (NUMBER, "--note", "case 12", "--json")],
    "suspension lift": [(FRIEND, "--note", "case 12"), (FRIEND, "--note", "case 12", "--json")],
    "suspension add-port": [
        ("shop", "10690001", "--note", "case 12"),
        ("shop", "10690001", "--note", "case 12", "--json"),
    ],
    "suspension lift-port": [
        ("shop", FRIEND, "--note", "case 12"),
        ("shop", FRIEND, "--note", "case 12", "--json"),
    ],
    "suspension list": [(), ("--json",)],
    "suspension ports": [(), ("--json",), ("--all",)],
    "suspension show": [(FRIEND,), (FRIEND, "--json")],
    "records show": [
        ("{}/var/cdr",),
        ("{}/var/cdr", "--json"),
        ("{}/var/cdr", "--port", "10690001", "--sender", "shop"),
    ],
    "records export": [(*PERIOD, "-o", "{}/records.jsonl")],
    "records hold add": [
        (*PERIOD, "--number", NUMBER, "--reason", "case", "--reference", "12"),
    ],
    "records hold list": [(), ("--json",)],
    "audit show": [(), ("--json",)],
    "audit export": [("-o", "{}/audit.jsonl")],
    "trace": [
        (NUMBER, "--since", "2013-09-30"),
        (NUMBER, "--since", "2013-09-30", "--json"),
        (HELD, "--since", "2013-09-30"),
    ],
    "policy advise": [SINCE, (*SINCE, "--json")],
    "policy hits": [(*SINCE, "--json"), (*SINCE, "--rule", "K-LURE")],
    "filter feedback": [(), ("--json",)],
    "filter samples list": [(), ("--json",)],
    "filter samples show": [("1",), ("1", "--json")],
    "explain submit": [
        ("--system-id", "shop", "--from", "10690001", "--to", NUMBER, "--text", "八折"),
    ],
    "explain mo": [("--from", NUMBER, "--to", "10690001", "--text", "TD")],
}
# These have no number to show, or only invented ones.
NUMBERLESS = {
    "backup",  # names, sizes and digests of files
    "cases xarf",  # tests/app/test_xarf_reports.py: no number is in what it makes
    "cases export",  # needs keys of its own: tests/systems/linkage/test_evidence.py
    "console",
    "console new-token",
    "check",
    "completion",
    "consent audit list",
    "demo",
    "explain bind",
    "filings export",
    "filings import",
    "filings expiring",
    "filings list",
    "filings remove",
    "filings show",
    "filter compare",
    "filter evaluate",
    "filter install",
    "filter models",
    "filter promote",
    "filter rollback",
    "filter samples add",  # what it has kept is what samples show prints
    "filter samples count",
    "filter samples forget",
    "filter score",  # pieces of texts, digits as 0
    "filter train",
    "keys new",
    "keys reseal",
    "linkage find-number",  # tests/systems/linkage/test_cli.py: it is masked, and a look is noted
    "linkage inbox",
    "linkage members",
    "linkage outbox",
    "linkage resend",
    "linkage run",
    "linkage schema",
    "linkage supervise",  # tests/systems/linkage/test_cli.py: a number in the note is left out
    "linkage text",  # tests/systems/linkage/test_cli.py: a look is noted
    "linkage verify",  # an event with a number in it is refused
    "notices acknowledge",
    "notices list",
    "policy check",
    "policy diff",
    "policy enforce",
    "policy explain",
    "policy history",
    "policy off",
    "policy posture",
    "policy reload",
    "policy replay",  # counts, by rule and SP
    "policy rollback",
    "policy rules",
    "policy schema",
    "policy shadow",
    "records hold lift",
    "reload",
    "records purge",
    "records purges",
    "records seal",
    "audit verify",
    "reports sent",
    "restore",
    "run",
    "sender alerts",  # tests/cli/test_sender_alerts.py: ports that are numbers are masked
    "sender hash-password",
    "sender list",  # tests/app/test_control.py: ports that are numbers are masked
    "sender resume",
    "sender show",
    "sender suspend",
    "session close",
    "session list",
    "smsc drain",
    "smsc list",
    "smsc resume",
    "status",
    "user add",
    "user disable",
    "user enable",
    "user enrol",
    "user list",
    "user reset",
    "user role",
    "user roles",
    "user sessions",
    "user show",
    "user sign-out",
    "warnings answer",
    "warnings close",
    "warnings list",
    # tests/systems/early_warnings/test_sanction_cli.py: ports that are numbers are masked
    "warnings sanctions apply",
    "warnings sanctions approve",
    "warnings sanctions decline",
    "warnings sanctions dismiss",
    "warnings sanctions list",
    "warnings sanctions reopen",
    "warnings sanctions show",
    "warnings show",
    "warnings try",  # tests/systems/early_warnings/test_detector_trial.py: ports are masked
    "warnings violations",
}
CALLS = [(command, given) for command, calls in SHOWING.items() for given in calls]
UNMASKING: dict[str, tuple[str, ...]] = {
    "quarantine show": (HELD,),
    "complaints show": ("1",),
    "consent audit draw": ("--system-id", "bank", "--csv", "{}/sample.csv"),
    "consent audit show": ("1",),
    "consent export": ("-o", "{}/answers.csv"),
    "notices next": ("--system-id", "shop"),
    "preferences export": ("--number", NUMBER, "-o", "{}/wanted.json"),
    "records show": ("{}/var/cdr",),
    "records export": (*PERIOD, "-o", "{}/records.jsonl"),
    "reports export": ("{}/reports.json",),
    "reports show": ("1",),
    "trace": (NUMBER, "--since", "2013-09-30"),
}
REPORTED = NewAuthorityReport(
    message_id=int(HELD) + 7,
    system_id="shop",
    source=FRIEND,
    msisdn=MSISDN,
    recipients=1,
    action="reject",
    rule="K-FRAUD",
    category="illegal",
    keyword="发票",
    digest="digest",
    text=f"代开发票 {NUMBER}",
    text_sha256="5c" * 32,
    stopped_at=NOON,
)


async def fill(stores: Stores) -> None:
    """Put one subscriber into every store."""
    given = ConsentAnswer(MSISDN, "shop", Answer.AGREED, NOON, "letter", "letter 7")
    await stores.consent.record([given])
    terms, said = (
        Terms("示例商城", "天气", "10690001", 500, Cycle.MONTH),
        MessageEvidence("1", "5c" * 32, NOON),
    )
    new = Subscription(MSISDN, "shop", "weather", terms, NOON)
    after = advance(new, Event(SubscriptionAct.ORDER, said, terms, said), NOON)
    assert isinstance(after, Subscription)
    await stores.subscriptions.keep(
        Changes((SubscriptionStep(after, SubscriptionAct.ORDER, said),))
    )
    await stores.authority_reports.add([REPORTED])
    text = f"包裹滞留，速联系{NUMBER}或{FRIEND[:3]} {FRIEND[3:7]} {FRIEND[7:]}"
    verdict = PersonVerdict(
        text, SampleLabel.SPAM, "fraud", SampleSource.REVIEW, "shop", NOON, "lin"
    )
    await stores.samples.keep([one for one in [learnt_from(verdict)] if one is not None])
    other = ConsentAnswer(MSISDN, "bank", Answer.ASSERTED, NOON, "list")
    await stores.consent.record([other])
    drawn = NewConsentAudit("shop", NOON, "auditor", seed=7, size=1, population=1)
    await stores.consent_audits.keep(drawn, [AuditItem(1, MSISDN, NOON, "list")])
    desk = CaseDesk(stores.cases, lambda: HolidayCalendar("none"))
    await desk.take([CaseComplaint(1, "c1", FRIEND, MSISDN, NOON, "cmcc/福建", "fraud")], "intake")
    await desk.verify(1, Actor("lin", NOON))
    await desk.measure(
        1, CaseMeasure(MeasureKind.NUMBER_SUSPENDED, NOON, FRIEND), Actor("lin", NOON)
    )
    await desk.take([CaseComplaint(2, "c2", FRIEND, MSISDN, NOON, "cmcc/福建", "fraud")], "intake")
    wu = Actor("wu", NOON)
    for act in (PlainAct.VERIFY, PlainAct.TELL, PlainAct.CLOSE):
        await desk.act(act, 2, "", wu)
        if act is PlainAct.VERIFY:
            await desk.feedback(2, CaseFeedback(CaseFinding.UNFOUNDED), wu)
    await desk.draw(NOON, 100, wu)
    person, until = int(f"86{FRIEND}"), NOON + timedelta(days=36_500)
    complaint = Complaint(
        number=0,
        source=ComplaintSource.CUSTOMER_SERVICE,
        source_id=f"call of {NUMBER}",
        reported_at=NOON,
        taken_at=NOON,
        sender=FRIEND,
        text=f"速联系{NUMBER}",
        reporter=MSISDN,
        port=FRIEND,
    )
    await stores.complaints.receive([complaint], lambda _one: [])
    await stores.suspended_ports.suspend(
        NewPortSuspension("shop", FRIEND, NOON, "complaints", "R88: 5 subscribers complained")
    )
    await stores.suspensions.suspend(NewSuspension(person, "shop", "R43", NOON, until))


async def decide(stores: Stores) -> None:
    """Decide on a message and on a campaign, with numbers in the notes."""
    now, spam, note = utcnow(), PersonDecision.REJECTED, f"asked {NUMBER}"
    await ReviewDesk(stores.reviews, masked_numbers).decide(
        NewReview(int(DECIDED), spam, "lin", note=note), now, timedelta(hours=1)
    )
    held = await stores.quarantine.get(int(DECIDED))
    assert held is not None
    until = now + timedelta(days=1)
    await ExceptionDesk(stores.exceptions, masked_numbers).add(held, "lin", note, now, until)
    await CampaignDesk(stores.campaigns, masked_numbers).decide(
        NewCampaignReview(OTHER_CAMPAIGN, spam, "lin", 2, note=note), now
    )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the first test keeps the data of its deployment for the others."""
    return tmp_path_factory.mktemp("filled") / "var"


@pytest.fixture
def ask(cli: Cli, deployment: Path, in_store: InStore, hold: Hold, filled: Path) -> Cli:
    """Return what runs one command in a deployment that knows one subscriber everywhere."""
    config = ("--config", str(deployment / "config"))
    if filled.exists():
        shutil.copytree(filled, deployment / "var")
    else:
        fill_deployment(cli, deployment, in_store, hold)
        shutil.copytree(deployment / "var", filled)
    (deployment / "list.txt").write_text(f"{NUMBER}\n", encoding="ascii")
    (deployment / "complaints.txt").write_text(
        "source_id,sender,text,reported_at,reporter\n"
        f"1,{FRIEND},spam,2013-09-30T12:00:00Z,{NUMBER}\n",
        encoding="ascii",
    )

    def ask(command: str, given: tuple[str, ...], *more: str) -> CompletedProcess[str]:
        arguments = (one.format(deployment) for one in given)
        where = () if command == "explain mo" else config
        return cli(*command.split(), *arguments, *more, *where)

    return ask


def fill_deployment(cli: Cli, deployment: Path, in_store: InStore, hold: Hold) -> None:
    """Let the store and the records know one subscriber everywhere."""
    in_store(fill)
    hold(message_id=int(HELD), campaign=CAMPAIGN)
    hold(message_id=int(OF_A_PERSON), source=f"+86{FRIEND}")
    hold(message_id=int(DECIDED), campaign=OTHER_CAMPAIGN)
    for number in (3, 4):
        hold(message_id=int(HELD) + number, campaign=OTHER_CAMPAIGN)
    in_store(decide)
    files = HourFiles(deployment / "var/cdr")
    about, why = (1, "shop", 4), Why("forward", "", "", "", "digest")
    addresses = (b"10690001", NUMBER.encode())
    told = ("reply", "", "", "", "")
    back = (NUMBER.encode(), FRIEND.encode())
    lure = Finding("K-LURE", Reason.CONTENT, Action.FORWARD, "", shadow=True)
    noted = why._replace(findings=(lure,))
    rows: list[Row] = [
        ("d", NOON.timestamp(), about, 7, *addresses, why, 0, None),
        ("d", NOON.timestamp(), about, 8, *addresses, noted, 0, None),
        ("m", NOON.timestamp(), about, 7, *back, b"", told, (0, NUMBER.encode())),
    ]
    for hour, _, written in RecordLines().by_hour(rows):
        files.append(hour, written)
    files.close()
    wanted = ("--number", NUMBER, "--kind", "number", "--value", FRIEND)
    config = ("--config", str(deployment / "config"))
    assert cli("preferences", "set", *wanted, *config).returncode == 0


def written(deployment: Path) -> str:
    """Return what commands have written into files of the operator's."""
    made = (path for path in deployment.glob("*.*") if path.suffix in {".csv", ".json", ".jsonl"})
    return "".join(path.read_text(encoding="utf-8") for path in made)


def test_r73_every_command_is_looked_at() -> None:
    assert SHOWING.keys() | NUMBERLESS == DESCRIBED.keys()
    assert not SHOWING.keys() & NUMBERLESS


@pytest.mark.parametrize(("command", "given"), CALLS)
def test_r73_no_whole_number_leaves_a_command_unless_it_is_unmasked(
    ask: Cli,
    deployment: Path,
    command: str,
    given: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.terminal.options.login_name", lambda: "lin")

    ran = ask(command, given)

    assert ran.returncode == 0, ran.stderr
    told = ran.stdout + ran.stderr + written(deployment)
    assert NUMBER not in told
    assert FRIEND not in told


def accesses_of_people(ask: Cli) -> list[dict[str, str]]:
    """Return what people looked at: not what they and the gateway did before."""
    accesses: list[dict[str, str]] = json.loads(ask("audit show", ("--json",)).stdout)
    return [one for one in accesses if one["kind"] not in {"decision", "sanction"}]


@pytest.mark.parametrize("command", UNMASKING)
def test_r73_who_says_why_sees_whole_numbers_and_stands_in_the_journal(
    ask: Cli, deployment: Path, command: str
) -> None:
    ran = ask(command, UNMASKING[command], *WHY)

    assert ran.returncode == 0, ran.stderr
    assert NUMBER in ran.stdout + written(deployment)
    (access,) = accesses_of_people(ask)
    assert access["by"] == acting(None)
    assert (access["action"], access["reason"]) == (command, "case 2013-118")
    assert NUMBER not in access["about"]


@pytest.mark.parametrize(
    ("what", "about"),
    [
        ("138 0013 8000", "138****8000"),
        ("086-13800138000", "086****8000"),
        ("tel:138\u200b00138000", "tel:138****8000"),
        ("８６１３８００１３８０００", "８６１****８０００"),
        ("id-7", "id-7"),
        (HELD, HELD),
    ],
)
def test_r73_a_number_that_is_written_otherwise_is_not_journaled_whole(
    ask: Cli, what: str, about: str
) -> None:
    ran = ask("trace", (what, "--since", "2013-09-30"), *WHY)

    assert ran.returncode == 0, ran.stderr
    (access,) = accesses_of_people(ask)
    assert access["about"].startswith(f"{about} since ")


@pytest.mark.parametrize("command", UNMASKING)
@pytest.mark.parametrize("option", [("--unmask",), ("--unmask", "--reason", "  ")])
def test_r73_nobody_sees_whole_numbers_without_a_reason(
    ask: Cli, deployment: Path, command: str, option: tuple[str, ...]
) -> None:
    ran = ask(command, UNMASKING[command], *option)

    assert (ran.returncode, ran.stdout, written(deployment)) == (2, "", "")
    assert "--unmask needs --reason" in ran.stderr
    assert accesses_of_people(ask) == []


@pytest.mark.parametrize("command", UNMASKING)
def test_r73_what_cannot_be_journaled_is_not_shown(
    ask: Cli, deployment: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_journals: SqlJournals, _access: NewAccess) -> int:
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(SqlJournals, "note_access", fail)

    ran = ask(command, UNMASKING[command], *WHY)

    assert (ran.returncode, ran.stdout, written(deployment)) == (1, "", "")


def test_r73_a_person_who_wrote_is_shown_whole_only_with_the_one_written_to(ask: Cli) -> None:
    masked, whole = (
        json.loads(ask("quarantine show", (OF_A_PERSON, "--json"), *option).stdout)
        for option in ((), WHY)
    )

    assert (masked["source"], masked["destination"]) == ("139****2222", "138****8000")
    assert (whole["source"], whole["destination"]) == (f"+86{FRIEND}", NUMBER)
