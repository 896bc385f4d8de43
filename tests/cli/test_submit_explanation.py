import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from rich.cells import cell_len

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.domain.live import SuspendedSender
from gateway.domain.sanction import ReopeningTerms, SanctionLadder, SanctionStep
from gateway.domain.suspension import COMPLAINTS, NewPortSuspension
from gateway.domain.warning import Severity, WarningCode, WarningCount, WarningKind
from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from gateway.systems.early_warnings.service import SanctionKeeper

Answered = Callable[[int, str, Answer], None]
Ask = Callable[..., dict[str, Any]]
Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Write = Callable[[str, str], None]

SUBSCRIBER = 8613800138000
NOT_AGREED = """\
version: 1
rules:
  - id: R20
    check: no_consent
    title: {zh: 同意, en: Consent}
    article: test
    mode: enforce
"""

COMPANY = """\
version: 1
allow_plain_passwords: true
senders:
  - {system_id: shop, owner: B2-1, password: "plain:secret", ports: [
      {number: "10690001", purpose: marketing}]}
  - {system_id: news, owner: B2-1, password: "plain:secret", ports: [
      {number: "10690002", purpose: marketing}]}
  - {system_id: other, owner: B2-2, password: "plain:secret", ports: [
      {number: "10690003", purpose: marketing}]}
"""

EASY = """\
version: 1
id: K-EASY
category: loan
action: quarantine
severity: serious
owner: 反诈中心
weight: 3
threshold: 6
words: [秒批, 无视征信]
"""
CHAT = "version: 1\nid: K-CHAT\ncategory: chat\naction: shadow\nweight: 2\nwords: [私聊]\n"

CONTACT = """\
version: 1
rules:
  - id: R61-contact-chat
    check: contact_in_text
    title: {zh: 营销短信引人添加联系方式, en: Advertising that asks people to come to a chat}
    article: 与示例商城的合同，第七条
    mode: shadow
    kinds: [wechat]
    action: quarantine
"""


@pytest.fixture
def explain(cli: Cli, options: tuple[str, ...]) -> Command:
    """Return a function that asks about a message; give what should be otherwise."""

    def explain(*more: str, **changes: str) -> CompletedProcess[str]:
        asked = {
            "system-id": "shop",
            "from": "10690001",
            "to": "13800138000",
            "text": "周末大促，满99减20",
        }
        message = [f"--{name}={value}" for name, value in (asked | changes).items()]
        return cli("explain", "submit", *message, *options, *more)

    return explain


@pytest.fixture
def verdict(explain: Command) -> Ask:
    """Return a function that asks for JSON and reads it."""

    def verdict(**changes: str) -> dict[str, Any]:
        ran = explain("--json", **changes)
        assert ran.returncode == 0
        answer: dict[str, Any] = json.loads(ran.stdout)
        return answer

    return verdict


def rows_of(output: str) -> list[list[str]]:
    """Return the cells of the rows of all tables."""
    rows = [line for line in output.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row.split("│")[1:-1]] for row in rows]


def test_a_message_without_a_finding_is_forwarded(verdict: Ask) -> None:
    said = verdict()

    assert (said["action"], said["reason"], said["rule"]) == ("forward", None, None)
    assert said["status"] is None
    assert said["findings"] == []
    assert len(said["digest"]) == 12


@pytest.mark.parametrize(
    ("changes", "action", "reason", "rule", "status"),
    [
        (
            {"system-id": "gone", "from": "10690003"},
            "reject",
            "SENDER_STATE",
            "R01",
            "ESME_RSUBMITFAIL",
        ),
        ({"from": "10690955"}, "reject", "SOURCE_NOT_OWNED", "R02", "ESME_RINVSRCADR"),
        ({"from": "1069000112345"}, "reject", "EXT_TOO_LONG", "R03", "ESME_RINVSRCADR"),
        ({"to": "nobody"}, "reject", "DESTINATION_INVALID", "DESTINATION", "ESME_RINVDSTADR"),
        ({"text": "代开发票"}, "reject", "CONTENT", "K-FRAUD", "ESME_RSUBMITFAIL"),
        ({"text": "黑户贷款"}, "quarantine", "CONTENT", "K-LOAN", "ESME_ROK"),
    ],
)
def test_every_reason_comes_with_its_rule_and_what_the_sp_hears(
    verdict: Ask, changes: dict[str, str], action: str, reason: str, rule: str, status: str
) -> None:
    said = verdict(**changes)

    assert (said["action"], said["reason"], said["rule"], said["status"]) == (
        action,
        reason,
        rule,
        status,
    )


def test_a_refusal_in_the_store_stops_an_advert(verdict: Ask, answered: Answered) -> None:
    answered(SUBSCRIBER, "shop", Answer.REFUSED)

    said = verdict(to="+8613800138000")

    assert (said["action"], said["reason"], said["warnings"]) == ("reject", "OPTED_OUT", [])


def test_a_refusal_of_whom_the_digits_may_be_stops_an_advert(
    verdict: Ask, answered: Answered
) -> None:
    answered(8614155550123, "shop", Answer.REFUSED)

    assert verdict(to="+14155550123")["reason"] == "OPTED_OUT"


def test_a_refusal_of_every_sp_stops_an_advert(verdict: Ask, answered: Answered) -> None:
    answered(SUBSCRIBER, EVERY_SENDER, Answer.REFUSED)

    assert verdict()["reason"] == "OPTED_OUT"


@pytest.mark.parametrize(
    ("lang", "said"), [("zh", "用户已拒收同一公司的其他账号"), ("en", "owner")]
)
def test_r21_a_refusal_of_another_account_of_the_owner_stops_an_advert_and_says_whose(
    explain: Command, verdict: Ask, answered: Answered, write: Write, lang: str, said: str
) -> None:
    write("config/senders.yaml", COMPANY)
    answered(SUBSCRIBER, "news", Answer.REFUSED)

    told, other = verdict(), verdict(**{"system-id": "other", "from": "10690003"})

    assert told["reason"] == "OPTED_OUT"
    assert [one["evidence"] for one in told["findings"]] == [
        "the subscriber refused another account of the same owner: news"
    ]
    assert other["reason"] is None
    assert said in explain("--lang", lang).stdout


def test_a_refusal_does_not_stop_a_verification_code(verdict: Ask, answered: Answered) -> None:
    answered(SUBSCRIBER, "shop", Answer.REFUSED)

    said = verdict(**{"from": "10690002"}, text="验证码1234，5分钟内有效")

    assert (said["action"], said["class"]) == ("forward", "verification")


def test_r22_promotion_behind_a_code_is_stopped_by_a_refusal(
    verdict: Ask, answered: Answered
) -> None:
    answered(SUBSCRIBER, "shop", Answer.REFUSED)

    said = verdict(**{"from": "10690002"}, text="验证码1234。周末大促，满99减20")

    assert (said["reason"], said["class"]) == ("OPTED_OUT", "commercial")


def test_silence_is_no_consent_where_policy_asks_for_it(
    verdict: Ask, answered: Answered, write: Write
) -> None:
    write("policies/rules/consent.yaml", NOT_AGREED)
    answered(8613900139000, "shop", Answer.AGREED)

    assert verdict()["reason"] == "CONSENT_NONE"
    assert verdict(to="13900139000")["action"] == "forward"


def test_a_store_that_cannot_be_read_is_a_finding_and_a_warning(verdict: Ask, write: Write) -> None:
    write("var/smsward.db", "no database " * 100)

    said = verdict()

    assert said["reason"] == "CONSENT_UNCHECKED"
    assert "cannot be used" in said["warnings"][0]


def test_r88_a_suspended_port_is_said_with_what_lifts_it(verdict: Ask, in_store: InStore) -> None:
    suspension = NewPortSuspension("shop", "10690001", utcnow(), COMPLAINTS, "R88")
    in_store(lambda stores: stores.suspended_ports.suspend(suspension))

    said, other = verdict(**{"from": "1069000117"}), verdict(**{"from": "10690002"})

    assert (said["action"], said["reason"], said["rule"]) == ("reject", "SOURCE_SUSPENDED", "R88")
    assert "smsward suspension lift-port shop 10690001" in said["warnings"][-1]
    assert other["action"] == "forward"


async def sanctioned(stores: Stores, severity: Severity, daily_max: int = 0) -> None:
    """Apply what follows a violation, and reopen it with a cap where one is given."""
    at = utcnow()
    kind = WarningKind(WarningCode.W5, severity, "shop", "10690001")
    await stores.warnings.add([WarningCount(kind, severity, 1, 0, at, at)])
    ladder = replace(SanctionLadder(), automatic=frozenset(SanctionStep))
    keeper = SanctionKeeper(stores.sanctions, stores.suspended_ports, ladder, lambda _: ())
    await keeper.look(at)
    if daily_max:
        asked = ReopeningTerms("lin", at, "new owner", "own lists", 30, daily_max)
        await stores.sanctions.ask_reopening(1, asked)
        await stores.sanctions.approve_reopening(1, asked.digest, "wu", at)
        await keeper.look(at)


def test_r96_a_closed_sp_is_said_with_its_sanction_and_since_when(
    verdict: Ask, in_store: InStore, explain: Command
) -> None:
    in_store(lambda stores: sanctioned(stores, Severity.MAJOR))

    said = verdict()
    people = explain("--lang", "zh").stderr

    assert (said["action"], said["reason"], said["rule"]) == ("reject", "SENDER_STATE", "R01")
    assert f"the SP is closed by sanction 1 since {utcnow():%Y-%m-%d}" in said["warnings"][-1]
    assert "smsward warnings sanctions reopen 1" in said["warnings"][-1]
    assert "被处罚 1 关停" in people


def test_r96_a_port_that_a_sanction_suspends_is_said_with_its_number(
    verdict: Ask, in_store: InStore
) -> None:
    in_store(lambda stores: sanctioned(stores, Severity.SERIOUS))
    complained = NewPortSuspension("shop", "10690001", utcnow(), COMPLAINTS, "R88")
    in_store(lambda stores: stores.suspended_ports.suspend(complained))

    said = verdict(**{"from": "1069000117"})

    assert (said["action"], said["reason"]) == ("reject", "SOURCE_SUSPENDED")
    by_complaints, by_sanction = said["warnings"][-2:]
    assert f"suspended by sanction 1 since {utcnow():%Y-%m-%d}" in by_sanction
    assert "lift-port shop 10690001 --sanction 1" in by_sanction
    assert "suspended by complaints since" in by_complaints


@pytest.mark.parametrize("severity", [Severity.MAJOR, Severity.SERIOUS])
def test_r97_the_cap_of_a_probation_is_said_and_a_message_under_it_passes(
    verdict: Ask, in_store: InStore, severity: Severity
) -> None:
    in_store(lambda stores: sanctioned(stores, severity, daily_max=10_000))
    after = utcnow() + timedelta(days=31)

    said, later = verdict(), verdict(at=f"{after:%Y-%m-%dT%H:%M:%S+00:00}")

    assert (said["action"], said["findings"]) == ("forward", [])
    (note,) = said["warnings"]
    whose = "all ports of the SP are" if severity is Severity.MAJOR else "the port is"
    assert f"{whose} on probation until" in note
    assert "sanction 1: at most 10 000 messages a day" in note
    assert "ESME_RTHROTTLED (R97)" in note
    assert later["warnings"] == []


def test_an_sp_suspended_by_order_is_said_with_what_lifts_it(
    verdict: Ask, in_store: InStore
) -> None:
    order = SuspendedSender("shop", utcnow(), "wu", "case 12")
    in_store(lambda stores: stores.suspended_senders.suspend(order))

    said = verdict()

    assert (said["action"], said["reason"]) == ("reject", "SENDER_STATE")
    assert "smsward sender resume shop" in said["warnings"][-1]


def test_a_gateway_that_never_ran_knows_no_answers_and_that_is_said(
    explain: Command, deployment: Path
) -> None:
    ran = explain()

    assert "there is no store at" in ran.stderr
    assert not (deployment / "var" / "smsward.db").exists()


def test_all_findings_are_shown_and_the_first_that_is_not_shadow_decides(verdict: Ask) -> None:
    said = verdict(**{"from": "10690955"}, text="加微信代开发票")

    found = {(one["rule"], one["shadow"]) for one in said["findings"]}
    assert found == {("R02", False), ("K-LURE", True), ("K-FRAUD", False)}
    assert said["rule"] == "R02"


def test_a_shadow_finding_changes_nothing(verdict: Ask) -> None:
    said = verdict(text="加微信")

    assert (said["action"], said["rule"]) == ("forward", None)
    assert [one["rule"] for one in said["findings"]] == ["K-LURE"]


def test_people_get_a_table_of_every_finding(explain: Command) -> None:
    ran = explain(text="加微信代开发票")

    rows = [cells[2:] for cells in rows_of(ran.stdout)]
    assert ran.returncode == 0
    assert rows[:4] == [
        ["CONTENT", "代开发票 (4-7); category fraud, severity fraud", "yes"],
        ["reject", "", ""],
        ["CONTENT", "加微信 (1-3); lure", "shadow"],
        ["forward", "", ""],
    ]
    assert [cells[0] for cells in rows_of(ran.stdout)][:4:2] == ["K-FRAUD", "K-LURE"]
    assert "REJECT" in ran.stdout
    assert "ESME_RSUBMITFAIL" in ran.stdout


def test_the_list_of_a_hit_tells_how_grave_it_is_whose_and_what_the_text_comes_to(
    explain: Command, verdict: Ask, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    write("policies/keywords/easy.yaml", EASY)
    write("policies/keywords/chat.yaml", CHAT)

    rows = rows_of(explain(text="凭身份证秒批，私聊客服").stdout)
    findings = verdict(text="凭身份证秒批，私聊客服")["findings"]
    enough = verdict(text="无视征信秒批，私聊客服")

    shown = {row[0]: (row[3], after[3]) for row, after in pairwise(rows)}
    assert shown["K-EASY"] == (
        "秒批 (5-6); category loan, severity advert",
        (
            "severity of the list serious, owner of the list 反诈中心,"
            " weight 3 of 5 in this text, threshold 6 for quarantine"
        ),
    )
    assert shown["K-CHAT"][1] == "weight 2 of 5 in this text, threshold 10 for shadow"
    assert {one["rule"]: one["list"]["sum"] for one in findings} == {"K-EASY": 5, "K-CHAT": 5}
    assert {one["action"] for one in findings} == {"forward"}
    assert (enough["action"], enough["rule"]) == ("quarantine", "K-EASY")
    assert {one["list"]["sum"] for one in enough["findings"]} == {8}


def test_what_is_no_hit_of_a_list_has_none(verdict: Ask) -> None:
    (outside, hit) = verdict(**{"from": "10690955"}, text="代开发票")["findings"]

    assert outside["list"] is None
    assert (hit["list"]["action"], hit["list"]["owner"]) == ("reject", None)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_on_a_terminal_of_eighty_columns_rules_and_reasons_stay_whole(
    explain: Command, write: Write, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    write("policies/rules/content.yaml", CONTACT)
    monkeypatch.setenv("COLUMNS", "80")

    shown = explain("--lang", lang, text="周末大促，加客服微信 abc12345 领券").stdout

    for word in ("R61-contact-chat", "CONTACT_GIVEN", "quarantine"):
        assert word in shown
    assert all(cell_len(line) <= 80 for line in shown.splitlines())


@pytest.mark.parametrize("number", ["138001380", "1380013800", "138001380001", "1380013800123"])
def test_a_destination_that_may_be_mistyped_is_doubted(explain: Command, number: str) -> None:
    english, chinese = explain(to=number).stderr, explain("--lang", "zh", to=number).stderr

    assert "too few or too many digits for a mainland mobile number" in english
    assert "位数与中国大陆手机号码不符" in chinese
    assert number not in english + chinese


@pytest.mark.parametrize("number", ["+8613800138000", "85291234567", "+14155550123"])
def test_other_destinations_are_not_doubted(explain: Command, number: str) -> None:
    assert "mistyped" not in explain(to=number).stderr


def test_people_are_told_when_nothing_was_found(explain: Command) -> None:
    ran = explain()

    assert "FORWARD" in ran.stdout
    assert "what the SMSC answers" in ran.stdout
    assert "no finding" in ran.stdout


@pytest.mark.parametrize(
    ("text", "data_coding"), [("Your code is 1234", 0), ("验证码1234", 8), ("-20% today", 0)]
)
def test_the_text_is_encoded_as_an_sp_would(verdict: Ask, text: str, data_coding: int) -> None:
    assert verdict(text=text)["data_coding"] == data_coding


def test_a_data_coding_can_be_asked_for(verdict: Ask) -> None:
    said = verdict(text="代开发票", **{"data-coding": "15"})

    assert (said["data_coding"], said["reason"]) == (15, "CONTENT")
    assert said["readings"] >= 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"system-id": "nobody"}, "no sender nobody"),
        ({"data-coding": "0"}, "cannot hold this text"),
        ({"data-coding": "2"}, "cannot hold this text"),
        ({"data-coding": "256"}, "0 to 255"),
        ({"data-coding": "utf8"}, "data-coding"),
        ({"from": "1" * 21}, "--from"),
        ({"to": "1" * 21}, "--to"),
    ],
)
def test_a_question_that_no_submit_could_ask_is_a_misuse(
    explain: Command, changes: dict[str, str], problem: str
) -> None:
    ran = explain(**changes)

    assert ran.returncode == 2
    assert problem in ran.stderr
    assert ran.stdout == ""


def test_an_unknown_sender_is_told_which_there_are(explain: Command) -> None:
    assert "there are: gone, shop" in explain(**{"system-id": "nobody"}).stderr


def test_faults_of_the_files_are_named_by_their_place(explain: Command, write: Write) -> None:
    write("policies/keywords/fraud.yaml", "version: 1\nid: K\naction: rejet\n")

    ran = explain()

    assert ran.returncode == 2
    assert "fraud.yaml:3:9 " in ran.stderr


@pytest.mark.parametrize(
    ("lang", "labels", "others"),
    [
        ("zh", ("结论", "服务商收到的应答", "短信类别", "没有命中"), ("verdict", "no finding")),
        ("en", ("verdict", "the SP hears", "class", "no finding"), ("结论", "没有命中")),
    ],
)
def test_labels_are_in_the_language_that_is_asked_for(
    explain: Command, lang: str, labels: tuple[str, ...], others: tuple[str, ...]
) -> None:
    shown = explain("--lang", lang).stdout

    assert [label for label in labels if label not in shown] == []
    assert [label for label in others if label in shown] == []


@pytest.mark.parametrize(("lang", "is_chinese"), [("zh", True), ("en", False)])
def test_evidence_is_in_the_language_that_is_asked_for(
    explain: Command, answered: Answered, lang: str, *, is_chinese: bool
) -> None:
    answered(SUBSCRIBER, "shop", Answer.REFUSED)

    shown = explain("--lang", lang).stdout

    assert ("用户已拒收" in shown) is is_chinese
    assert ("subscriber" in shown) is not is_chinese


def test_the_table_of_findings_is_chinese_but_for_the_words_of_files_and_logs(
    explain: Command,
) -> None:
    shown = explain("--lang", "zh", text="代开发票").stdout

    for words in ("拒绝 REJECT", "规则", "名称", "依据", "证据", "ESME_RSUBMITFAIL", "是"):
        assert words in shown
    for words in ("解读方式: 1", "拒绝 reject", "类别 涉嫌诈骗 fraud, 危害程度 诈骗 fraud"):
        assert words in shown
    assert "decides" not in shown
    assert "readings" not in shown


def test_what_a_text_is_about_is_told_apart_from_how_bad_that_is(explain: Command) -> None:
    shown = explain(text="代开发票").stdout

    assert re.search(r"about +category fraud, severity fraud", shown)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"system-id": "gone", "from": "10690003"},
        {"from": "10690955"},
        {"from": "1069000112345"},
        {"to": "nobody"},
        {"text": "代开发票"},
        {"text": "加微信"},
        {"text": "秒批，私聊客服"},
    ],
)
def test_in_chinese_no_english_sentence_is_left(
    explain: Command, write: Write, changes: dict[str, str]
) -> None:
    write("policies/keywords/easy.yaml", EASY)
    ran = explain("--lang", "zh", **changes)

    said = ran.stdout + ran.stderr
    # What the law does not say is marked in both languages, as in the rules' own files.
    left = re.findall("[a-z]{3,} [a-z]{3,}[^│\n]*", re.sub(r"（[a-z ,]+）", "", said))
    assert ran.returncode == 0
    assert "警告：" in said
    assert left == []
