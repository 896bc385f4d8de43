"""Who may see whole numbers: of every command, what it prints and what it writes (R73)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

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
from gateway.domain.suspension import NewSuspension
from gateway.records.lines import RecordLines
from gateway.records.writer import HourFiles
from gateway.storage.errors import StoreUnavailable
from gateway.storage.journals import SqlJournals
from gateway.stores import Stores
from gateway.systems.consent_audits.model import AuditItem, NewConsentAudit
from gateway.systems.learning.model import SampleLabel, SampleSource
from gateway.systems.learning.person_verdicts import PersonVerdict, learnt_from
from gateway.systems.subscriptions.model import Changes, SubscriptionStep
from gateway.terminal.options import acting
from tests.cli.test_reference import DESCRIBED

Cli = Callable[..., CompletedProcess[str]]
Hold = Callable[..., object]
InStore = Callable[..., None]

NUMBER, MSISDN, FRIEND = "13800138000", 8613800138000, "13911112222"
HELD, OF_A_PERSON = "8176407200000001000", "8176407200000001001"
CAMPAIGN = "c0123456789abcdef"
NOON = datetime(2013, 9, 30, 12, tzinfo=UTC)
WHY = ("--unmask", "--reason", "case 2013-118")
PERIOD = ("--from", "2013-09-30", "--to", "2013-10-01")

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
    "consent refuse": [("--system-id", "shop", NUMBER)],
    "consent agree": [("--system-id", "shop", "--evidence", "letter 7", NUMBER)],
    "consent show": [(NUMBER,), (NUMBER, "--json")],
    "consent import": [("{}/list.txt", "--all-senders", "--answer", "refused")],
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
    "suspension add": [(NUMBER, "--note", "case 12"), (NUMBER, "--note", "case 12", "--json")],
    "suspension lift": [(FRIEND, "--note", "case 12"), (FRIEND, "--note", "case 12", "--json")],
    "suspension list": [(), ("--json",)],
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
    "records accesses": [(), ("--json",)],
    "filter samples list": [(), ("--json",)],
    "filter samples show": [("1",), ("1", "--json")],
    "explain submit": [
        ("--system-id", "shop", "--from", "10690001", "--to", NUMBER, "--text", "八折"),
    ],
    "explain mo": [("--from", NUMBER, "--to", "10690001", "--text", "TD")],
}
# These have no number to show, or only invented ones.
NUMBERLESS = {
    "api",
    "api new-token",
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
    "records purge",
    "records purges",
    "records seal",
    "records verify",
    "reports sent",
    "run",
    "sender hash-password",
    "warnings answer",
    "warnings close",
    "warnings list",
    "warnings show",
}
CALLS = [(command, given) for command, calls in SHOWING.items() for given in calls]
UNMASKING: dict[str, tuple[str, ...]] = {
    "quarantine show": (HELD,),
    "consent audit draw": ("--system-id", "bank", "--csv", "{}/sample.csv"),
    "consent audit show": ("1",),
    "consent export": ("-o", "{}/answers.csv"),
    "notices next": ("--system-id", "shop"),
    "preferences export": ("--number", NUMBER, "-o", "{}/wanted.json"),
    "records show": ("{}/var/cdr",),
    "records export": (*PERIOD, "-o", "{}/records.jsonl"),
    "reports export": ("{}/reports.json",),
    "reports show": ("1",),
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
    person, until = int(f"86{FRIEND}"), NOON + timedelta(days=36_500)
    await stores.suspensions.suspend(NewSuspension(person, "shop", "R43", NOON, until))


@pytest.fixture
def ask(cli: Cli, deployment: Path, in_store: InStore, hold: Hold) -> Cli:
    """Return what runs one command in a deployment that knows one subscriber everywhere."""
    config = ("--config", str(deployment / "config"))
    in_store(fill)
    hold(message_id=int(HELD), campaign=CAMPAIGN)
    hold(message_id=int(OF_A_PERSON), source=f"+86{FRIEND}")
    files = HourFiles(deployment / "var/cdr")
    about, why = (1, "shop", 4), Why("forward", "", "", "", "digest")
    addresses = (b"10690001", NUMBER.encode())
    told = ("reply", "", "", "", "")
    back = (NUMBER.encode(), FRIEND.encode())
    rows: list[Row] = [
        ("d", NOON.timestamp(), about, 7, *addresses, why, 0, None),
        ("m", NOON.timestamp(), about, 7, *back, b"", told, (0, NUMBER.encode())),
    ]
    for hour, _, written in RecordLines().by_hour(rows):
        files.append(hour, written)
    files.close()
    (deployment / "list.txt").write_text(f"{NUMBER}\n", encoding="ascii")
    wanted = ("--number", NUMBER, "--kind", "number", "--value", FRIEND)
    assert cli("preferences", "set", *wanted, *config).returncode == 0

    def ask(command: str, given: tuple[str, ...], *more: str) -> CompletedProcess[str]:
        arguments = (one.format(deployment) for one in given)
        where = () if command == "explain mo" else config
        return cli(*command.split(), *arguments, *more, *where)

    return ask


def written(deployment: Path) -> str:
    """Return what commands have written into files of the operator's."""
    made = (path for path in deployment.glob("*.*") if path.suffix in {".csv", ".json", ".jsonl"})
    return "".join(path.read_text(encoding="utf-8") for path in made)


def test_r73_every_command_is_looked_at() -> None:
    assert SHOWING.keys() | NUMBERLESS == DESCRIBED.keys()
    assert not SHOWING.keys() & NUMBERLESS


@pytest.mark.parametrize(("command", "given"), CALLS)
def test_r73_no_whole_number_leaves_a_command_unless_it_is_unmasked(
    ask: Cli, deployment: Path, command: str, given: tuple[str, ...]
) -> None:
    ran = ask(command, given)

    assert ran.returncode == 0, ran.stderr
    told = ran.stdout + ran.stderr + written(deployment)
    assert NUMBER not in told
    assert FRIEND not in told


@pytest.mark.parametrize("command", UNMASKING)
def test_r73_who_says_why_sees_whole_numbers_and_stands_in_the_journal(
    ask: Cli, deployment: Path, command: str
) -> None:
    ran = ask(command, UNMASKING[command], *WHY)

    assert ran.returncode == 0, ran.stderr
    assert NUMBER in ran.stdout + written(deployment)
    (access,) = json.loads(ask("records accesses", ("--json",)).stdout)
    assert access["by"] == acting(None)
    assert (access["action"], access["reason"]) == (command, "case 2013-118")
    assert NUMBER not in access["about"]


@pytest.mark.parametrize("command", UNMASKING)
@pytest.mark.parametrize("option", [("--unmask",), ("--unmask", "--reason", "  ")])
def test_r73_nobody_sees_whole_numbers_without_a_reason(
    ask: Cli, deployment: Path, command: str, option: tuple[str, ...]
) -> None:
    ran = ask(command, UNMASKING[command], *option)

    assert (ran.returncode, ran.stdout, written(deployment)) == (2, "", "")
    assert "--unmask needs --reason" in ran.stderr
    assert json.loads(ask("records accesses", ("--json",)).stdout) == []


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
