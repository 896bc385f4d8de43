"""Rules in the words of their files."""

from datetime import time, timedelta

import pytest

from gateway.domain.categories import Harm
from gateway.domain.policy import Clock, CountDimension, Limit, RollingWindow
from gateway.domain.verdict import Action
from gateway.filter.contacts import ContactKind
from gateway.policy.bundle import Rule, Title
from gateway.policy.check import Check
from gateway.policy.checks import all_checks
from gateway.policy.checks.bad_link import BadLink
from gateway.policy.checks.campaign import Campaign
from gateway.policy.checks.contact_in_text import ContactInText
from gateway.policy.checks.impostor import Impostor
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.checks.suspicious import Suspicious, Tolerance
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import TooOften
from gateway.policy.checks.unknown_numbers import UnknownNumbers
from gateway.policy.hours import EVERY_DAY, OnHolidays, Window, WindowSet
from gateway.settings.bundles.difference import parameters_of
from gateway.settings.bundles.rules import SHAPES


def test_every_check_has_the_name_that_files_give_it() -> None:
    assert {one.name for one in all_checks()} == set(SHAPES)
    assert NoOptoutHint().name == "no_optout_hint"


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (OptOut(), {}),
        (NoConsent(), {"accept_asserted": "true"}),
        (PublicInterest(frozenset({"R40", "R20"})), {"exempts": "R20, R40"}),
        (TooFast(50, 100), {"per_s": "50", "burst": "100"}),
        (TooFast(0.5, 1), {"per_s": "0.5", "burst": "1"}),
        (
            BadLink(
                block=tuple(f"{letter}.com" for letter in "abcdefghijklmn"),
                allow=("x.cn",),
                brands=("y.cn", "z.cn"),
                disguised=True,
                only_allowed=True,
            ),
            {
                "block": "a.com, b.com, c.com, d.com, e.com, f.com, g.com, h.com, i.com, j.com,"
                " k.com, l.com, … (+2, a347ad)",
                "allow": "x.cn",
                "brands": "y.cn, z.cn",
                "disguised": "true",
                "only_allowed": "true",
                "category": "phishing",
            },
        ),
        (
            BadLink(disguised=True),
            {"disguised": "true", "only_allowed": "false", "category": "phishing"},
        ),
        (Impostor(("甲银行",)), {"names": "甲银行", "filed": "false", "category": "fraud"}),
        (Impostor(filed=True), {"filed": "true", "category": "fraud"}),
        (ContactInText(frozenset({ContactKind.WECHAT, ContactKind.QQ})), {"kinds": "qq, wechat"}),
        (Suspicious(0.005), {"tolerates": "0.5 %"}),
        (
            Suspicious(
                0.01,
                (Tolerance(0.001, sender="sp1"), Tolerance(0.02, port="106")),
                {Harm.ADVERT: Action.FORWARD},
            ),
            {
                "tolerates": "1 %",
                "tolerances": "sp1: 0.1 %, 106: 2 %",
                "actions.advert": "forward",
            },
        ),
        (
            Campaign(100, timedelta(hours=1)),
            {
                "people": "100",
                "within": "1h",
                "accept_asserted": "false",
                "each_sender": "false",
            },
        ),
        (NumberWalk(100, timedelta(minutes=10)), {"count": "100", "within": "10m"}),
        (
            UnknownNumbers(0.3, timedelta(minutes=10), 50),
            {"share": "0.3", "within": "10m", "at_least": "50"},
        ),
        (
            OutsideWindow(
                WindowSet(
                    (
                        Window(time(8), time(21)),
                        Window(time(0), time(0), EVERY_DAY, OnHolidays.CLOSED),
                        Window(time(9), time(0), frozenset({0, 6})),
                    )
                ),
                timedelta(seconds=90),
            ),
            {
                "open": "08:00-21:00; 00:00-24:00 but holidays; 09:00-24:00 mon sun",
                "jitter": "90s",
            },
        ),
        (
            TooOften(
                (
                    Limit((CountDimension.SOURCE,), 200, Clock.HOUR, 500),
                    Limit(
                        (CountDimension.SIGNATURE, CountDimension.DESTINATION),
                        10,
                        RollingWindow(86_400),
                    ),
                    Limit((CountDimension.SENDER,), 1, RollingWindow(7 * 86_400)),
                ),
                ("13", "14"),
            ),
            {
                "limits": (
                    "200 an hour per source, 500 on holidays;"
                    " 10 in rolling 24h per signature and destination; 1 in rolling 7d per sender"
                ),
                "sources": "13, 14",
            },
        ),
    ],
)
def test_what_a_check_was_told_reads_as_in_its_file(check: Check, said: dict[str, str]) -> None:
    assert parameters_of(Rule("R", Title("规则", "Rule"), "A", check)) == said


def test_of_a_long_list_each_change_shows() -> None:
    names = tuple(f"shop{number}.com" for number in range(40))

    before, after = (
        parameters_of(Rule("R", Title("规则", "rule"), "[D]", BadLink(block=block)))["block"]
        for block in (names, (*names[:-1], "other.com"))
    )

    assert before != after
    assert before.startswith("shop0.com, ")
    assert "… (+28, " in before
