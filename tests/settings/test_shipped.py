"""The configuration and the policy in this repository, as a newcomer starts them."""

from datetime import date, time
from pathlib import Path

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Enforcement, ListAction, RuleEvent
from gateway.policy.bundle import Bundle, Rule
from gateway.policy.checks import all_checks
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.hours import OnHolidays, Window
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.credentials import verify
from gateway.settings.directories import check
from gateway.settings.gateway import GatewaySettings, load_gateway
from gateway.settings.senders import load_senders

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def settings() -> GatewaySettings:
    return load_gateway(ROOT / "config/gateway.yaml")


@pytest.fixture(scope="module")
def policy() -> Bundle:
    return load_bundle(ROOT / "policies")


def test_what_is_shipped_has_no_fault() -> None:
    assert check(ROOT / "config", ROOT / "policies") == ()


def test_the_example_stays_on_this_machine(settings: GatewaySettings) -> None:
    addresses = [
        *(listener.address for listener in settings.listeners),
        *(smsc.address for smsc in settings.smscs),
        settings.metrics.address,
    ]

    assert {address.host for address in addresses} == {"127.0.0.1"}
    assert len(set(addresses)) == len(addresses)


def test_the_example_shows_the_defaults(settings: GatewaySettings, tmp_path: Path) -> None:
    minimal = tmp_path / "gateway.yaml"
    minimal.write_text(
        'version: 1\nlisteners: [{name: plain, address: "127.0.0.1:2775"}]\n'
        'smscs: [{name: main, address: "127.0.0.1:2776"}]\n'
    )

    defaults = load_gateway(minimal)

    assert settings.timers == defaults.timers
    assert settings.limits == defaults.limits
    assert settings.store.url == defaults.store.url
    assert settings.records.directory == defaults.records.directory
    assert settings.records == defaults.records
    assert settings.metrics.address == defaults.metrics.address


def test_the_example_senders_bind_from_this_machine_with_the_documented_password() -> None:
    senders = load_senders(ROOT / "config/senders.yaml")

    assert set(senders) == {"sp1", "bank1"}
    for sender in senders.values():
        assert verify(sender.password, b"secret")
        assert all(network.is_loopback for network in sender.binds.addresses)


def rules_of(bundle: Bundle) -> dict[str, Rule]:
    return {rule.id: rule for rule in bundle.rules}


def test_the_policy_warns_as_the_list_of_irregularities_has_it(policy: Bundle) -> None:
    warned = {rule.id: (rule.warning, rule.severity) for rule in policy.rules if rule.warning}

    assert warned == {
        "R04": ("W8", None),
        "R05": ("W3", "serious"),
        "R20": ("W10", None),
        "R21": ("W5", None),
        "R28": ("W9", None),
        "R28-unknown": ("W9", None),
    }


def test_the_policy_enforces_refusals_what_clerks_suspend_and_the_classifier_only(
    policy: Bundle,
) -> None:
    enforced = {rule.id for rule in policy.rules if rule.mode is Enforcement.ENFORCE}

    assert not policy.is_open
    of_peers = {rule.id for rule in policy.rules if rule.event is RuleEvent.MT_IN}
    assert enforced - of_peers == {"R21", "R11", "R43-suspended", "R61-model", "R61-model-codes"}
    assert of_peers == {"R63", "R63-refused", "R63-preference", "R63-number"} <= enforced
    assert rules_of(policy)["R21"].applies_to == {TrafficClass.COMMERCIAL}


def test_the_policy_uses_every_check_and_cites_what_asks_for_each_rule(policy: Bundle) -> None:
    assert {type(rule.check) for rule in policy.rules} == set(all_checks())
    assert all(rule.article for rule in policy.rules)


def test_r20_r12_what_needs_records_or_filings_waits_for_them(policy: Bundle) -> None:
    off = {rule.id for rule in policy.rules if rule.mode is Enforcement.OFF}

    assert off == {"R20", "R04", "R06", "R12-signature", "R12-template", "R44"}


def test_r11_what_the_public_interest_is_spared_are_rules_that_there_are(policy: Bundle) -> None:
    check = rules_of(policy)["R11"].check

    assert isinstance(check, PublicInterest)
    assert {"R20", "R21", "R40", "R42"} <= check.exempts


PROFILES = {
    "us-tcpa": ("America/New_York", Window(time(8), time(21))),
    "in-tcccpr": ("Asia/Kolkata", Window(time(9), time(21))),
    "fr": (
        "Europe/Paris",
        Window(time(8), time(22), frozenset(range(6)), OnHolidays.CLOSED),
    ),
}


@pytest.mark.parametrize(("profile", "zone", "window"), [(p, *v) for p, v in PROFILES.items()])
def test_r40_a_profile_brings_the_hours_of_its_country(
    profile: str, zone: str, window: Window
) -> None:
    found = load_bundle(ROOT / "policies", profile)

    rule = rules_of(found)["R40"]
    assert found.name == profile
    assert found.surroundings.zone == zone
    assert isinstance(rule.check, OutsideWindow)
    assert rule.check.open.windows == (window,)


def test_r40_no_hours_hold_in_the_united_kingdom() -> None:
    found = load_bundle(ROOT / "policies", "uk-pecr")

    assert found.surroundings.zone == "Europe/London"
    assert rules_of(found)["R40"].mode is Enforcement.OFF


@pytest.mark.parametrize("profile", [*PROFILES, "uk-pecr"])
def test_a_profile_changes_rules_and_drops_none(profile: str, policy: Bundle) -> None:
    found = load_bundle(ROOT / "policies", profile)

    assert rules_of(found).keys() == rules_of(policy).keys()
    assert rules_of(found)["R21"].mode is Enforcement.ENFORCE
    assert found.replies is not None
    assert "START" in found.replies.opted_out
    assert "STOP" in found.replies.restored


def test_r38_in_the_draft_of_2020_an_advert_names_a_telephone_number(policy: Bundle) -> None:
    draft = load_bundle(ROOT / "policies", "cn-2020-draft")

    rules = rules_of(draft)
    assert draft.name == "cn-2020-draft"
    assert rules.keys() == rules_of(policy).keys()
    assert rules["R38"].check == NoSenderName(telephone=True)
    assert rules["R20"].check == NoConsent(accept_asserted=False)
    assert rules_of(policy)["R38"].check == NoSenderName()
    assert draft.replies == policy.replies


@pytest.mark.parametrize("day", ["2025-04-21", "2026-05-14", "2027-05-17", "2026-07-14"])
def test_the_holidays_of_france_are_known(day: str) -> None:
    calendar = load_bundle(ROOT / "policies", "fr").surroundings.calendar

    assert calendar.is_holiday(date.fromisoformat(day))
    assert calendar.years == {2025, 2026, 2027}
    assert len(calendar.holidays) == 33


def test_every_shipped_file_names_its_schema_to_editors() -> None:
    policies = ROOT / "policies"
    files = [path for path in policies.rglob("*.yaml") if path.parent.name != "calendars"]

    for path in files:
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        assert first.startswith("# yaml-language-server: $schema=")
        assert (
            (path.parent / first.partition("=")[2]).resolve().is_relative_to(policies / "schemas")
        )
        assert (path.parent / first.partition("=")[2]).is_file()


def test_the_policy_shows_every_action(policy: Bundle) -> None:
    assert {words.action for words in policy.keyword_lists} == set(ListAction)
    assert all(len(words.words) >= 15 for words in policy.keyword_lists)


def test_no_word_stands_in_two_lists(policy: Bundle) -> None:
    words = [word for words in policy.keyword_lists for word in words.words]

    assert len(words) == len(set(words))


def test_no_word_repeats_what_a_shorter_one_hits_already(policy: Bundle) -> None:
    for words in policy.keyword_lists:
        repeats = [(a, b) for a in words.words for b in words.words if a != b and a in b]
        assert repeats == []


HONEST = [
    "【示例银行】您尾号1234的账户于10:30支出500.00元，余额1200.00元。",
    "【示例银行】您的贷款本月还款日为15日，请确保账户余额充足。",
    "【示例银行】您的信用卡额度已调整为20000元，详情请登录手机银行查询。",
    "【示例公安】谨防刷单诈骗，凡是要求先垫付的兼职都是诈骗。",
    "【示例公安】出租、出售银行卡属违法行为，请勿参与。",
    "【示例税务】您申请的增值税电子发票已开具，请登录电子税务局下载。",
    "【示例彩票】体育彩票第26001期已开奖，请到就近网点查询。",
    "【示例商城】会员日全场五折，领券立减30元，拒收请回复R",
    "【示例商城】您的验证码为123456，五分钟内有效，请勿告知他人。",
    "【示例快递】您的包裹已到驿站，取件码2-3-4567。",
]


@pytest.mark.parametrize("text", HONEST)
def test_an_honest_message_holds_no_keyword(text: str, policy: Bundle) -> None:
    hits = [word for words in policy.keyword_lists for word in words.words if word in text]

    assert hits == []
