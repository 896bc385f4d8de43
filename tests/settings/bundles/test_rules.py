"""Rules as people write them, and the values they come to."""

import json
from collections.abc import Callable, Mapping
from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.categories import Harm, TrafficClass
from gateway.domain.policy import Clock, CountDimension, Enforcement, Limit, RollingWindow
from gateway.domain.verdict import Action
from gateway.domain.warning import Severity, WarningCode
from gateway.filter.contacts import ContactKind
from gateway.policy.bundle import Override, Rule, Title
from gateway.policy.check import Check
from gateway.policy.checks.bad_link import BadLink
from gateway.policy.checks.campaign import Campaign
from gateway.policy.checks.contact_in_text import ContactInText
from gateway.policy.checks.impostor import Impostor
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.other_province import OtherProvince
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.port_misuse import PortMisuse
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.checks.signature_switch import SignatureSwitch
from gateway.policy.checks.source_suspension import SourceSuspension
from gateway.policy.checks.suspicious import Suspicious, Tolerance
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import TooOften
from gateway.policy.checks.unknown_numbers import UnknownNumbers
from gateway.policy.checks.unknown_signature import UnknownSignature
from gateway.policy.checks.unknown_template import UnknownTemplate
from gateway.policy.checks.user_preference import UserPreference
from gateway.policy.hours import EVERY_DAY, HolidayCalendar, OnHolidays, Window, WindowSet
from gateway.settings.bundles import rules as rules_module
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.bundles.rules import FORMER_NAMES, SHAPES, RuleContext, load_rules
from gateway.settings.yaml import SettingsError, compose

WriteBundle = Callable[[Mapping[str, str]], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]
Load = Callable[[str], Rule]

CALENDAR = "version: 1\nname: x\nyears: {2026: {holidays: {a: 01-01}}}\n"
HEAD = "version: 1\nname: test\ncalendar: calendars/x.yaml\n"


@pytest.fixture
def load(bundle: WriteBundle) -> Load:
    """Return a function that loads one rule of some lines below id, title and article."""

    def load(lines: str) -> Rule:
        head = "  - id: R\n    title: {zh: 规则, en: Rule}\n    article: 第一条\n"
        text = "".join(f"    {line}\n" for line in lines.splitlines())
        files = {
            "bundle.yaml": HEAD,
            "calendars/x.yaml": CALENDAR,
            "rules/a.yaml": f"version: 1\nrules:\n{head}{text}",
        }
        (rule,) = load_bundle(bundle(files)).rules
        return rule

    return load


def test_a_rule_that_says_little_is_on_trial_for_commercial_messages(load: Load) -> None:
    assert load("check: opt_out") == Rule(
        id="R",
        title=Title("规则", "Rule"),
        article="第一条",
        check=OptOut(),
        mode=Enforcement.SHADOW,
        applies_to=frozenset({TrafficClass.COMMERCIAL}),
        action=Action.REJECT,
        status="",
        on_error={TrafficClass.COMMERCIAL: Action.REJECT},
        overrides=(),
    )


def test_a_rule_may_say_all_there_is(load: Load) -> None:
    rule = load(
        "check: opt_out\nmode: enforce\napplies_to: [service, commercial]\n"
        "action: quarantine\nstatus: ESME_RINVDSTADR\n"
        "on_error: {service: forward, commercial: quarantine}\n"
        "overrides:\n  - {sender: sp1, mode: off, because: 合同}\n"
        "  - {port: '10690001', mode: shadow}"
    )

    assert rule.mode is Enforcement.ENFORCE
    assert rule.applies_to == {TrafficClass.SERVICE, TrafficClass.COMMERCIAL}
    assert (rule.action, rule.status) == (Action.QUARANTINE, "ESME_RINVDSTADR")
    assert rule.on_error == {
        TrafficClass.SERVICE: Action.FORWARD,
        TrafficClass.COMMERCIAL: Action.QUARANTINE,
    }
    assert rule.overrides == (
        Override(Enforcement.OFF, sender="sp1", because="合同"),
        Override(Enforcement.SHADOW, port="10690001"),
    )


CHECKS: list[tuple[str, Check]] = [
    ("check: source_suspension", SourceSuspension()),
    ("check: other_province", OtherProvince()),
    ("check: port_misuse", PortMisuse()),
    ("check: public_interest\nexempts: [R]", PublicInterest(frozenset({"R"}))),
    ("check: opt_out", OptOut()),
    ("check: no_consent", NoConsent()),
    ("check: no_consent\naccept_asserted: false", NoConsent(accept_asserted=False)),
    ("check: user_preference", UserPreference()),
    (
        'check: outside_window\nopen: ["08:00-21:00"]',
        OutsideWindow(WindowSet((Window(time(8), time(21)),))),
    ),
    (
        (
            'check: outside_window\naction: defer\njitter: 30m\nopen:\n  - {hours: "22:00-06:00"}\n'
            '  - {hours: "09:00-24:00", weekdays: [sat, mon], holidays: closed}'
        ),
        OutsideWindow(
            WindowSet(
                (
                    Window(time(22), time(6), EVERY_DAY),
                    Window(time(9), time(), frozenset({0, 5}), OnHolidays.CLOSED),
                )
            ),
            timedelta(minutes=30),
        ),
    ),
    (
        "check: too_often\nlimits: [{per: [destination], at_most: 1, every: minute}]",
        TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.MINUTE),)),
    ),
    (
        (
            'check: too_often\nsources: ["1", "861"]\nlimits:\n'
            "  - {per: [source], at_most: 200, every: hour, on_holidays: 500}\n"
            "  - {per: [signature, template, sender], at_most: 50, every: rolling 24h}"
        ),
        TooOften(
            (
                Limit((CountDimension.SOURCE,), 200, Clock.HOUR, 500),
                Limit(
                    (CountDimension.SIGNATURE, CountDimension.TEMPLATE, CountDimension.SENDER),
                    50,
                    RollingWindow(86_400),
                ),
            ),
            ("1", "861"),
        ),
    ),
    ("check: too_fast\nper_s: 50\nburst: 100", TooFast(50, 100)),
    ("check: too_fast\nper_s: 0.5", TooFast(0.5)),
    ("check: number_walk\ncount: 100\nwithin: 10m", NumberWalk(100, timedelta(minutes=10))),
    (
        "check: unknown_numbers\nshare: 0.3\nwithin: 10m\nat_least: 50",
        UnknownNumbers(0.3, timedelta(minutes=10), 50),
    ),
    ("check: signature_switch", SignatureSwitch()),
    ("check: unknown_signature", UnknownSignature()),
    ("check: unknown_template", UnknownTemplate()),
    ("check: no_optout_hint", NoOptoutHint()),
    ("check: no_sender_name", NoSenderName()),
    ("check: no_sender_name\ntelephone: true", NoSenderName(telephone=True)),
    ("check: bad_link\nblock: [Evil.Example.COM]", BadLink(block=("evil.example.com",))),
    (
        (
            "check: bad_link\nallow: [jd.com]\nbrands: [icbc.com.cn]\ndisguised: true\n"
            "only_allowed: true\ncategory: fraud_bank_debit"
        ),
        BadLink(
            allow=("jd.com",),
            brands=("icbc.com.cn",),
            disguised=True,
            only_allowed=True,
            category="fraud_bank_debit",
        ),
    ),
    ("check: impostor\nnames: [工商银行]", Impostor(("工商银行",))),
    (
        "check: impostor\nfiled: true\ncategory: fraud_authority",
        Impostor(filed=True, category="fraud_authority"),
    ),
    (
        "check: contact_in_text\nkinds: [qq, wechat]",
        ContactInText(frozenset({ContactKind.QQ, ContactKind.WECHAT})),
    ),
    ("check: suspicious\ntolerates: 0.5 %", Suspicious(0.005)),
    (
        (
            "check: suspicious\ntolerates: 1%\nactions: {advert: forward, fraud: reject}\n"
            "tolerances:\n  - {sender: sp1, tolerates: 0.1 %, because: 合同}\n"
            '  - {port: "10690001", tolerates: 2.5 %}'
        ),
        Suspicious(
            0.01,
            (Tolerance(0.001, sender="sp1"), Tolerance(0.025, port="10690001")),
            {Harm.ADVERT: Action.FORWARD, Harm.FRAUD: Action.REJECT},
        ),
    ),
    ("check: campaign\npeople: 100\nwithin: 1h", Campaign(100, timedelta(hours=1))),
    (
        "check: campaign\npeople: 9\nwithin: 10m\naccept_asserted: true\neach_sender: true",
        Campaign(9, timedelta(minutes=10), accept_asserted=True, each_sender=True),
    ),
]


@pytest.mark.parametrize(
    ("lines", "check"),
    [pair for pair in CHECKS if "public" not in pair[0]],
    ids=lambda x: str(x)[:30],
)
def test_a_check_is_told_what_the_file_says(lines: str, check: Check, load: Load) -> None:
    assert load(lines).check == check


def test_r61_what_is_found_in_a_text_is_held_and_what_nobody_could_judge_too(load: Load) -> None:
    suspicious = load("check: suspicious\ntolerates: 0.5 %")

    assert suspicious.action is Action.QUARANTINE
    assert suspicious.on_error == dict.fromkeys(
        (TrafficClass.VERIFICATION, TrafficClass.SERVICE, TrafficClass.COMMERCIAL),
        Action.QUARANTINE,
    )
    assert load("check: bad_link\ndisguised: true").action is Action.QUARANTINE


@pytest.mark.parametrize("former", FORMER_NAMES)
def test_a_former_name_of_a_check_is_still_read(former: str, load: Load) -> None:
    lines = next(lines for lines, _ in CHECKS if f"check: {FORMER_NAMES[former]}" in lines)

    written = lines.replace(f"check: {FORMER_NAMES[former]}", f"check: {former}")

    assert former not in SHAPES
    assert load(written) == load(lines)


@pytest.mark.parametrize(
    ("lines", "action"),
    [
        ("check: too_fast\nper_s: 1", Action.THROTTLE),
        ("check: too_fast\nper_s: 1\naction: quarantine", Action.QUARANTINE),
        ('check: outside_window\nopen: ["08:00-21:00"]\naction: defer', Action.DEFER),
        ("check: no_sender_name", Action.REJECT),
    ],
)
def test_what_a_rule_does_unless_it_says_otherwise_is_its_checks_choice(
    lines: str, action: Action, load: Load
) -> None:
    assert load(lines).action is action


def test_a_rule_warns_of_nothing_unless_it_says_so(load: Load) -> None:
    plain = load("check: opt_out")
    warning = load("check: opt_out\nwarning: W5")
    violation = load("check: port_misuse\nwarning: W3\nseverity: serious")

    assert (plain.warning, plain.severity) == (None, None)
    assert (warning.warning, warning.severity) == (WarningCode.W5, None)
    assert (violation.warning, violation.severity) == (WarningCode.W3, Severity.SERIOUS)


def test_r11_a_rule_for_a_message_exempts_and_stops_nothing(bundle: WriteBundle) -> None:
    rule = "  - {{id: {}, title: {{zh: 一, en: a}}, article: x, mode: enforce, check: {}}}\n"
    lines = rule.format("R21", "refused") + rule.format("R11", "public_interest, exempts: [R21]")

    _, public = load_bundle(bundle({"rules/a.yaml": f"version: 1\nrules:\n{lines}"})).rules

    assert public.check == PublicInterest(frozenset({"R21"}))
    assert (public.action, public.on_error, public.can_stop) == (Action.FORWARD, {}, False)


def test_rules_stand_in_any_number_of_files_in_the_order_of_their_names(
    bundle: WriteBundle,
) -> None:
    rule = "  - {{id: {}, title: {{zh: 一, en: a}}, article: x, check: opt_out}}\n"
    files = {
        f"rules/{name}.yaml": "version: 1\nrules:\n"
        + "".join(rule.format(f"{name}{n}") for n in (1, 2))
        for name in ("b", "a")
    }

    assert [rule.id for rule in load_bundle(bundle(files)).rules] == ["a1", "a2", "b1", "b2"]


def test_rules_past_the_bound_are_refused(
    bundle: WriteBundle, faults_of: FaultsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_module, "MAX_RULES", 2)
    rule = "  - {{id: {}, title: {{zh: 一, en: a}}, article: x, check: opt_out}}\n"
    text = "version: 1\nrules:\n" + "".join(map(rule.format, "abc"))
    directory = bundle({"rules/a.yaml": text})

    assert faults_of(lambda: load_bundle(directory)) == [
        "policies/rules/a.yaml:5:5 more than 2 rules"
    ]


KEYS = st.sampled_from(
    [
        *("id", "check", "title", "zh", "en", "article", "mode", "applies_to", "action", "status"),
        *("on_error", "overrides", "sender", "port", "open", "hours", "weekdays", "holidays"),
        *("jitter", "limits", "per", "at_most", "every", "on_holidays", "sources", "exempts"),
        *("per_s", "burst", "count", "within", "accept_asserted", "telephone", "commercial", "x"),
    ]
)
LEAVES = st.one_of(
    st.sampled_from([*SHAPES, "R1", "R2", "enforce", "off", "08:00-21:00", "30m", "hour", "mon"]),
    st.integers(-1, 10**20),
    st.booleans(),
    st.none(),
    st.text(max_size=4),
)
ANYTHING = st.recursive(
    LEAVES,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(KEYS, below, max_size=5)),
    max_leaves=12,
)
RULES = st.dictionaries(KEYS, ANYTHING, max_size=8).map(
    lambda rule: {"id": "R1", "check": "outside_window", **rule}
)


@given(
    st.lists(st.lists(st.one_of(RULES, ANYTHING), min_size=1, max_size=3), min_size=1, max_size=2)
)
def test_whatever_files_say_is_rules_or_faults_with_their_places(
    layers: list[list[object]],
) -> None:
    try:
        documents = [
            [compose(Path(f"{at}.yaml"), json.dumps({"version": 1, "rules": rules}).encode())]
            for at, rules in enumerate(layers)
        ]
        found = load_rules(documents, RuleContext(HolidayCalendar("x")))
    except SettingsError as error:
        assert error.faults
        assert all(fault.line >= 1 and fault.path.suffix == ".yaml" for fault in error.faults)
    else:
        assert found
