import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.stores import Stores
from gateway.systems.consent.cli import answers
from gateway.terminal.failure import ExitCode

AnswerOf = Callable[[int, str], Answer | None]
Answered = Callable[[int, str, Answer], None]
Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Write = Callable[[str, str], None]

NUMBER = "13800138000"
MSISDN = 8613800138000


@pytest.fixture
def consent(cli: Cli, deployment: Path, in_store: InStore) -> Command:
    in_store(lambda _stores: None)

    def consent(*arguments: str, **given: str) -> CompletedProcess[str]:
        return cli("consent", *arguments, "--config", str(deployment / "config"), **given)

    return consent


@pytest.fixture
def answer_of(in_store: InStore) -> AnswerOf:
    def answer_of(msisdn: int, scope: str) -> Answer | None:
        found: list[Answer | None] = []

        async def look(stores: Stores) -> None:
            answer = await stores.consent.answer_of(msisdn, scope)
            found.append(None if answer is None else answer.answer)

        in_store(look)
        return found[0]

    return answer_of


def test_a_refusal_of_one_sp_is_recorded(consent: Command, answer_of: AnswerOf) -> None:
    ran = consent("refuse", "--system-id", "shop", NUMBER, "--channel", "call")

    assert ran.returncode == 0
    assert answer_of(MSISDN, "shop") is Answer.REFUSED
    assert "call" in consent("show", NUMBER).stdout
    assert answer_of(MSISDN, EVERY_SENDER) is None


def test_a_refusal_of_every_sp_is_recorded(consent: Command, answer_of: AnswerOf) -> None:
    consent("refuse", "--all-senders", NUMBER)

    assert answer_of(MSISDN, EVERY_SENDER) is Answer.REFUSED


def test_who_agrees_later_takes_a_refusal_back(consent: Command, answer_of: AnswerOf) -> None:
    consent("refuse", "--system-id", "shop", NUMBER)

    consent("agree", "--system-id", "shop", "--evidence", "contract-117", "+86" + NUMBER)

    assert answer_of(MSISDN, "shop") is Answer.AGREED
    assert "contract-117" in consent("show", NUMBER).stdout


def test_r20_an_agreement_is_shown_with_its_end_and_as_ended_after_it(consent: Command) -> None:
    agree = ("agree", "--system-id", "shop", "--evidence", "contract-117")
    ended, running = "13800138001", "13800138002"

    consent(*agree, "--until", "2020-12-31", ended)
    consent(*agree, "--until", "2099-12-31T12:00:00+08:00", running)

    [past] = json.loads(consent("show", "--json", ended).stdout)["answers"]
    [present] = json.loads(consent("show", "--json", running).stdout)["answers"]
    assert (past["answer"], past["until"]) == ("ended", "2020-12-31T16:00:00+00:00")
    assert (present["answer"], present["until"]) == ("agreed", "2099-12-31T04:00:00+00:00")
    assert "ended" in consent("show", ended).stdout
    assert "2099-12-31" in consent("show", running).stdout


def test_r21_who_agrees_is_told_where_a_refusal_of_every_sp_goes_on_to_hold(
    consent: Command,
) -> None:
    other = "13800138001"
    agree = ("agree", "--evidence", "contract-117")
    consent("refuse", "--all-senders", NUMBER)

    one = consent(*agree, "--system-id", "shop", NUMBER)
    several = consent(*agree, "--system-id", "shop", NUMBER, other)
    nobody = consent(*agree, "--system-id", "shop", other)
    lifted = consent(*agree, "--all-senders", NUMBER)
    afterwards = consent(*agree, "--system-id", "shop", NUMBER)

    assert "the subscriber refused every SP" in one.stderr
    assert "1 of 2 refused every SP" in several.stderr
    assert [ran.stderr for ran in (nobody, lifted, afterwards)] == ["", "", ""]
    assert [ran.returncode for ran in (one, several)] == [0, 0]


def test_r21_a_refusal_is_shown_with_the_other_accounts_of_its_owner_that_it_holds_for(
    consent: Command, write: Write
) -> None:
    account = (
        '  - {system_id: %s, owner: %s, password: "plain:secret", '
        'ports: [{number: "%s", purpose: service}]}'
    )
    accounts = (
        ("shop", "B2-1", "10690001"),
        ("news", "B2-1", "10690002"),
        ("x", "B2-2", "10690003"),
    )
    lines = ("version: 1", "allow_plain_passwords: true", "senders:")
    write("config/senders.yaml", "\n".join([*lines, *(account % one for one in accounts)]))
    consent("refuse", "--system-id", "news", NUMBER)

    everyone, shop, news, x = (
        consent("show", NUMBER, *one)
        for one in ((), ("--system-id=shop",), ("--system-id=news",), ("--system-id=x",))
    )

    holds = "what news was refused holds for shop as well"
    told = [" ".join(ran.stderr.split()) for ran in (everyone, shop)]
    assert [one for one in told if holds not in one] == []
    assert (news.stderr, x.stderr) == ("", "")
    assert json.loads(consent("show", "--json", NUMBER).stdout)["shared"] == {"shop": "news"}
    consent("refuse", "--system-id", "shop", NUMBER)
    assert json.loads(consent("show", "--json", NUMBER).stdout)["shared"] == {}
    consent("refuse", "--system-id", "news", "--category", "loan", "13800138001")
    assert json.loads(consent("show", "--json", "13800138001").stdout)["shared"] == {"shop": "news"}


@pytest.mark.parametrize("number", ["+861380013800", "0086138001380000"])
def test_digits_behind_86_of_a_wrong_length_are_no_number(consent: Command, number: str) -> None:
    ran = consent("refuse", "--all-senders", number)

    assert ran.returncode == ExitCode.MISUSED
    assert "is no subscriber number; nothing was recorded" in ran.stderr
    assert number not in ran.stderr


@pytest.mark.parametrize("number", ["1380013800", "138001380000", "138001380"])
def test_a_number_with_a_digit_or_two_too_few_or_many_is_doubted_and_taken(
    consent: Command, number: str
) -> None:
    ran = consent("refuse", "--all-senders", number)

    assert ran.returncode == 0
    assert "too few or too many digits for a mainland mobile number" in ran.stderr
    assert number not in ran.stderr


@pytest.mark.parametrize("number", [NUMBER, "+14155550123", "85291234567", "+447700900123"])
def test_other_numbers_are_not_doubted(consent: Command, number: str) -> None:
    assert consent("refuse", "--all-senders", number).stderr == ""


def test_of_many_doubtful_numbers_a_few_are_named(consent: Command) -> None:
    numbers = [f"138001380{place:03}" for place in range(8)]

    said = consent("refuse", "--all-senders", *numbers).stderr

    assert said.count("too few or too many digits") == 5
    assert "and 3 more" in said


def test_an_end_that_cannot_be_read_is_a_misuse(consent: Command, answer_of: AnswerOf) -> None:
    ran = consent("agree", "--system-id", "shop", "--until", "next year", NUMBER)

    assert ran.returncode == 2
    assert "--until next year: a last day, as 2035-12-31" in ran.stderr
    assert answer_of(MSISDN, "shop") is None


def test_r26_an_agreement_without_evidence_is_asserted_and_said_to_be(
    consent: Command, answer_of: AnswerOf
) -> None:
    ran = consent("agree", "--system-id", "shop", NUMBER)

    assert answer_of(MSISDN, "shop") is Answer.ASSERTED
    assert "asserted" in ran.stdout
    assert "--evidence" in ran.stderr
    assert "asserted" in consent("show", NUMBER).stdout


def test_r37_an_agreement_without_evidence_takes_no_refusal_back(
    consent: Command, answer_of: AnswerOf
) -> None:
    consent("refuse", "--system-id", "shop", NUMBER)

    consent("agree", "--system-id", "shop", NUMBER)

    assert answer_of(MSISDN, "shop") is Answer.REFUSED


@pytest.mark.parametrize(
    ("command", "scope", "answer", "system_id"),
    [
        ("refuse", ("--all-senders",), "refused", None),
        ("agree", ("--system-id", "shop"), "asserted", "shop"),
    ],
)
def test_what_is_recorded_is_told_to_programs(
    consent: Command, command: str, scope: tuple[str, ...], answer: str, system_id: str | None
) -> None:
    ran = consent(command, *scope, "--json", NUMBER, "13800138001")

    told = json.loads(ran.stdout)
    assert told.pop("change") > 0
    whom = {"system_id": system_id, "port": None, "category": None}
    assert told == {"answer": answer, **whom, "numbers": 2}


def test_numbers_may_come_from_the_standard_input(consent: Command, answer_of: AnswerOf) -> None:
    ran = consent("refuse", "--all-senders", "-", stdin="13800138001\n008613800138002\n")

    assert "2 numbers refused" in ran.stdout
    assert answer_of(8613800138001, EVERY_SENDER) is Answer.REFUSED
    assert answer_of(8613800138002, EVERY_SENDER) is Answer.REFUSED


def test_a_fault_on_the_standard_input_is_named_by_its_line_and_stops_all(
    consent: Command, answer_of: AnswerOf
) -> None:
    ran = consent("refuse", "--all-senders", "-", stdin=f"{NUMBER}\nfoo\n")

    assert ran.returncode == 2
    assert "line 2: foo is no subscriber number; nothing was recorded" in ran.stderr
    assert answer_of(MSISDN, EVERY_SENDER) is None


def test_what_was_recorded_is_said_without_the_whole_number(consent: Command) -> None:
    ran = consent("refuse", "--system-id", "shop", NUMBER)

    assert ran.stdout.startswith("recorded: 138****8000 refused shop (change ")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((NUMBER,), "either --system-id or --all-senders"),
        (("--system-id", "shop", "--all-senders", NUMBER), "either --system-id or --all-senders"),
        (("--system-id", "shpo", NUMBER), "there are: gone, shop"),
        (("--all-senders", "INFO"), "INFO is no subscriber number"),
        (("--all-senders", "-"), "no number was given"),
    ],
)
def test_an_answer_that_would_protect_nobody_is_a_misuse(
    consent: Command, answer_of: AnswerOf, arguments: tuple[str, ...], problem: str
) -> None:
    ran = consent("refuse", *arguments)

    assert ran.returncode == 2
    assert problem in ran.stderr
    assert answer_of(MSISDN, EVERY_SENDER) is None


def test_too_many_numbers_at_once_are_a_misuse(
    consent: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_MAX_NUMBERS", 1)

    assert consent("refuse", "--all-senders", NUMBER, "13800138001").returncode == 2


def test_passwords_of_another_environment_do_not_stop_a_refusal(
    consent: Command, answer_of: AnswerOf, write: Write
) -> None:
    write(
        "config/senders.yaml",
        'version: 1\nsenders: [{system_id: shop, password: "env:SMSWARD_NOT_SET"}]\n',
    )

    ran = consent("refuse", "--system-id", "shop", NUMBER)

    assert ran.returncode == 0
    assert "cannot be looked up" in ran.stderr
    assert answer_of(MSISDN, "shop") is Answer.REFUSED


def test_a_gateway_that_never_ran_has_no_store_to_record_in(cli: Cli, deployment: Path) -> None:
    ran = cli("consent", "refuse", "--all-senders", NUMBER, "--config", str(deployment / "config"))

    assert ran.returncode == 1
    assert "there is no store" in ran.stderr
    assert "hint: " in ran.stderr


def test_what_a_subscriber_said_is_shown(consent: Command, answered: Answered) -> None:
    answered(MSISDN, "shop", Answer.REFUSED)
    answered(MSISDN, EVERY_SENDER, Answer.AGREED)

    ran = consent("show", NUMBER)

    rows = [[cell.strip() for cell in line.split("│")[1:3]] for line in ran.stdout.splitlines()]
    assert ["(every sender)", "agreed"] in rows
    assert ["shop", "refused"] in rows
    assert "138****8000" in ran.stdout
    assert NUMBER not in ran.stdout


def test_what_a_subscriber_said_is_json_for_programs(consent: Command, answered: Answered) -> None:
    answered(MSISDN, "former", Answer.REFUSED)

    shown = json.loads(consent("show", NUMBER, "--system-id", "former", "--json").stdout)

    (answer,) = shown["answers"]
    assert (answer["system_id"], answer["answer"], answer["channel"]) == (
        "former",
        "refused",
        "test",
    )


def test_of_an_sp_that_is_not_there_no_silence_is_told(consent: Command) -> None:
    ran = consent("show", NUMBER, "--system-id", "nope")

    assert ran.returncode == 2
    assert "there is no sender nope in senders.yaml" in ran.stderr


@pytest.mark.parametrize("number", ["139", "999999"])
def test_what_is_too_short_for_anybodys_number_is_none(consent: Command, number: str) -> None:
    ran = consent("show", number)

    assert ran.returncode == 2
    assert "139 is no subscriber number" in ran.stderr or "999*** is no" in ran.stderr


def test_silence_is_said(consent: Command) -> None:
    ran = consent("show", NUMBER)

    assert (ran.returncode, ran.stdout) == (0, "138****8000 has given no answer\n")


@pytest.mark.usefixtures("consent")
def test_two_processes_use_one_store(deployment: Path, answer_of: AnswerOf) -> None:
    arguments = (
        "consent",
        "refuse",
        "--all-senders",
        NUMBER,
        "--config",
        str(deployment / "config"),
    )

    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "gateway", *arguments], capture_output=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert answer_of(MSISDN, EVERY_SENDER) is Answer.REFUSED


ABROAD = "+14165550123"


def test_r21_what_is_refused_by_whom_a_number_is_read_as_is_said_of_it(consent: Command) -> None:
    consent("refuse", "--all-senders", ABROAD.removeprefix("+"))

    shown = consent("show", ABROAD)
    agreed = consent("agree", "--system-id", "shop", "--evidence", "letter 7", ABROAD)

    assert "has given no answer" in shown.stdout
    assert "read as one of the mainland, which refused" in shown.stderr
    assert "the subscriber refused every SP" in agreed.stderr
    assert "4165550123" not in shown.stdout + shown.stderr + agreed.stdout + agreed.stderr


def test_r21_what_a_number_agreed_to_itself_holds_whoever_it_is_read_as(consent: Command) -> None:
    consent("refuse", "--all-senders", ABROAD.removeprefix("+"))
    consent("agree", "--all-senders", "--evidence", "letter 6", ABROAD)

    shown = consent("show", ABROAD)
    agreed = consent("agree", "--system-id", "shop", "--evidence", "letter 7", ABROAD)

    assert (shown.stderr, agreed.stderr) == ("", "")


def test_r22_a_refusal_of_a_port_or_a_category_is_recorded_and_shown(
    consent: Command, answer_of: AnswerOf
) -> None:
    recorded = consent("refuse", "--system-id", "shop", "--port", "10690001", NUMBER, "--json")
    consent("refuse", "--system-id", "shop", "--category", "房产", NUMBER)

    assert json.loads(recorded.stdout)["port"] == "10690001"
    assert answer_of(MSISDN, "shop 10690001") is Answer.REFUSED
    assert answer_of(MSISDN, "shop #real_estate") is Answer.REFUSED
    shown = json.loads(consent("show", NUMBER, "--json").stdout)["answers"]
    assert [(one["system_id"], one["port"], one["category"]) for one in shown] == [
        ("shop", None, "real_estate"),
        ("shop", "10690001", None),
    ]
    assert "shop 10690001" in " ".join(consent("show", NUMBER).stdout.split())
    assert "shop 10690001" in consent("export", "--system-id", "shop").stdout


@pytest.mark.parametrize(
    "more",
    [
        ("--system-id", "shop", "--port", "999"),
        ("--system-id", "shop", "--category", "fraud"),
        ("--system-id", "shop", "--port", "10690001", "--category", "loan"),
        ("--all-senders", "--port", "10690001"),
    ],
)
def test_a_part_of_an_sp_that_is_not_there_is_a_misuse(
    consent: Command, more: tuple[str, ...]
) -> None:
    assert consent("refuse", *more, NUMBER).returncode == ExitCode.MISUSED
