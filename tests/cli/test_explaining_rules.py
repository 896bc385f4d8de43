"""`smsward explain submit` names every rule: its id, its article, its title in both languages."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, TypeAlias

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.filings import Approval, Filing, PortScope, Signature, Template, TemplateKind
from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    PreferenceAction,
    PreferenceKind,
    preference,
    with_preference,
)
from gateway.domain.suspension import NewSuspension
from gateway.runtime.clock import utcnow
from gateway.settings.bundles.rules import SHAPES
from gateway.stores import Stores

Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]
Work: TypeAlias = Callable[[Stores], Awaitable[object]]
InStore = Callable[[Work], None]

SUBSCRIBER = 8613800138000
ADVERT = "【示例商城】周末大促，满99减20，拒收请回复R"
# A rule can only be spared of another that there is.
EXEMPTING = (
    ", exempts: [OTHER]},"
    " {id: OTHER, check: no_sender_name, title: {zh: 名, en: name}, article: none, mode: enforce"
)
SENDERS = """\
version: 1
allow_plain_passwords: true
senders:
  - {system_id: shop, password: "plain:secret", ports: [
      {number: "10690001", extension_digits: 4, purpose: marketing},
      {number: "10690002", purpose: verification},
      {number: "10690003", purpose: public_interest}]}
"""


def filing(*filings: Filing) -> Work:
    return lambda stores: stores.filings.put(filings)


def nothing(stores: Stores) -> Awaitable[object]:
    return stores.filings.all_filings()


def refusing(stores: Stores) -> Awaitable[object]:
    refusal = ConsentAnswer(SUBSCRIBER, "shop", Answer.REFUSED, utcnow(), "mo")
    return stores.consent.record([refusal])


def suspending(stores: Stores) -> Awaitable[object]:
    since = utcnow()
    suspension = NewSuspension(10690001, "", "", since, since + timedelta(days=1))
    return stores.suspensions.suspend(suspension)


def blocking(stores: Stores) -> Awaitable[object]:
    blocked = preference(PreferenceKind.NUMBER, "10690001", PreferenceAction.BLOCK)
    origin = ChangeOrigin(Channel.CLI, utcnow())
    return stores.preferences.change(
        SUBSCRIBER, lambda all_: with_preference(all_, blocked), origin
    )


@dataclass(frozen=True)
class Case:
    """A check with what it is told, what is on record, the message, and what the rule finds.

    `reason` is "" where it finds nothing; then `note` is what is said of it all the same.
    """

    check: str
    told: str = ""
    reason: str = ""
    on_record: Work = nothing
    changes: dict[str, str] = field(default_factory=dict)
    note: str = ""


CASES = [
    Case(
        "other_province",
        reason="OUT_OF_SCOPE",
        on_record=filing(PortScope("shop", "10690001", "福建")),
    ),
    Case("port_misuse", reason="PORT_MISUSE", changes={"from": "10690002"}),
    Case(
        "public_interest",
        told=EXEMPTING,
        on_record=filing(
            Approval("shop", "10690003", "应急〔2025〕1号", date(2025, 1, 1), date(2025, 12, 31))
        ),
        changes={"from": "10690003", "text": "台风蓝色预警，请注意防范"},
        note="not asked: OTHER",
    ),
    Case("source_suspension", reason="SOURCE_SUSPENDED", on_record=suspending),
    Case("opt_out", reason="OPTED_OUT", on_record=refusing),
    Case("no_consent", reason="CONSENT_NONE"),
    Case("user_preference", reason="USER_PREF", on_record=blocking),
    Case("outside_window", told=', open: ["08:00-21:00"]', reason="OUTSIDE_WINDOW"),
    Case(
        "too_often",
        told=", limits: [{per: [destination], at_most: 1, every: day}]",
        note="what was sent before",
    ),
    Case("too_fast", told=", per_s: 1", note="what was sent before"),
    Case("number_walk", told=", count: 2, within: 10m", note="what was sent before"),
    Case(
        "unknown_numbers",
        told=", share: 0.3, within: 10m, at_least: 50",
        note="what was sent before",
    ),
    Case(
        "signature_switch",
        reason="SIG_SWITCH",
        on_record=filing(Signature("shop", "示例会员", ("106900011",))),
        changes={"from": "106900011"},
    ),
    Case("unknown_signature", reason="SIG_UNKNOWN"),
    Case(
        "unknown_template",
        reason="TPL_MISMATCH",
        on_record=filing(Template("shop", "T-1", TemplateKind.COMMERCIAL, "新店开业{1}")),
    ),
    Case(
        "no_optout_hint",
        reason="NO_OPTOUT_HINT",
        changes={"text": "【示例商城】周末大促，满99减20"},
    ),
    Case(
        "bad_link",
        told=", block: [evil.example.com]",
        reason="BAD_LINK",
        changes={"text": f"{ADVERT} http://evil.example.com/1"},
    ),
    Case("impostor", told=", names: [事例商城]", reason="IMPOSTOR"),
    Case(
        "contact_in_text",
        told=", kinds: [qq]",
        reason="CONTACT_GIVEN",
        changes={"text": f"{ADVERT}，客服QQ：1234567"},
    ),
    # There is no model here.
    Case("suspicious", told=", tolerates: 1 %", reason="CONTENT_UNCHECKED"),
    Case("campaign", told=", people: 9, within: 1h", note="what was sent before"),
    Case(
        "no_sender_name",
        reason="NO_SENDER_NAME",
        changes={"text": "周末大促，满99减20，拒收请回复R"},
    ),
]


@pytest.fixture
def explain(
    cli: Cli, deployment: Path, options: tuple[str, ...], write: Write, in_store: InStore
) -> Callable[..., CompletedProcess[str]]:
    """Return a function that asks about the message of a case under its rule alone."""

    def explain(case: Case, *more: str) -> CompletedProcess[str]:
        (deployment / "policies" / "rules" / "consent.yaml").unlink(missing_ok=True)
        rule: dict[str, object] = {
            "id": "RULE",
            "check": case.check,
            "title": {"zh": "规则名", "en": "What it is called"},
            "article": "第十八条",
            "mode": "enforce",
        }
        written = json.dumps(rule, ensure_ascii=False)[1:-1]
        write("policies/rules/one.yaml", f"version: 1\nrules: [{{{written}{case.told}}}]\n")
        with (deployment / "config" / "gateway.yaml").open("a", encoding="utf-8") as file:
            file.write("learning: {starter: false}\n")
        write("config/senders.yaml", SENDERS)
        write("config/provinces.csv", "1380013,北京\n")
        in_store(case.on_record)
        asked = {
            "system-id": "shop",
            "from": "10690001",
            "to": "13800138000",
            "text": ADVERT,
            "at": "2025-11-25T23:30+08:00",
        }
        message = [f"--{name}={value}" for name, value in (asked | case.changes).items()]
        return cli("explain", "submit", *message, *options, *more)

    return explain


def answered(ran: CompletedProcess[str]) -> dict[str, Any]:
    assert ran.returncode == 0, ran.stderr
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


def test_every_check_is_asked_about_here() -> None:
    assert {case.check for case in CASES} == set(SHAPES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.check)
def test_every_rule_is_named_with_its_article_and_its_title_in_both_languages(
    explain: Callable[..., CompletedProcess[str]], case: Case
) -> None:
    said = answered(explain(case, "--json"))

    [named] = said["findings"] if case.reason else said["beside"]
    assert named["rule"] == "RULE"
    assert named["article"] == "第十八条"
    assert named["title"] == {"zh": "规则名", "en": "What it is called"}
    assert named.get("reason", "") == case.reason
    assert case.note in named.get("note", {"en": ""})["en"]
    assert said["rule"] == ("RULE" if case.reason else None)


@pytest.mark.parametrize(("lang", "title"), [("zh", "规则名"), ("en", "What it is called")])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.check)
def test_people_read_of_every_rule_in_their_language(
    explain: Callable[..., CompletedProcess[str]], case: Case, lang: str, title: str
) -> None:
    ran = explain(case, "--lang", lang)

    lines = ran.stdout.splitlines()
    [at] = [at for at, line in enumerate(lines) if line.startswith("│ RULE ")]
    row, below = ([cell.strip() for cell in line.split("│")[1:-1]] for line in lines[at : at + 2])
    assert (row[0], below[0], row[1]) == ("RULE", title, "第十八条")


def test_r23_of_a_request_for_consent_the_store_decides_and_that_is_said(
    explain: Callable[..., CompletedProcess[str]],
) -> None:
    text = "同意接收新品优惠，每月两条，为期一年，请回复Y，拒收请回复R"
    filed = Template("shop", "T-9", TemplateKind.CONSENT_REQUEST, text)
    case = Case("no_consent", on_record=filing(filed), changes={"text": f"【示例商城】{text}"})

    said = answered(explain(case, "--json"))

    [found] = said["findings"]
    assert (found["rule"], found["reason"]) == ("R23", "CONSENT_ASKED")
    assert found["title"]["zh"]
    assert found["title"]["en"]
    assert found["article"]
    assert (said["class"], said["status"], said["due"]) == ("commercial", None, None)
