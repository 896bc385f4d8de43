"""`smsward policy advise`: what records and people say of rules in shadow mode."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from gateway.cli.policy_advice import Proposal, advice_on
from gateway.domain.policy import Enforcement
from gateway.domain.quarantine import HoldState
from gateway.domain.records import Row
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.records.finding_counts import FindingCounter, HitCount, RuleHits
from gateway.records.lines import RecordLines
from gateway.records.writer import HourFiles
from gateway.settings.bundles.bundle import load_bundle
from gateway.systems.quarantine.model import PersonDecision
from tests.dataplane.conftest import World, advert, sender

Cli = Callable[..., CompletedProcess[str]]
Hold = Callable[..., object]
Write = Callable[[str, str], None]

DAY = 1_380_499_200.0  # 2013-09-30, 00 UTC
RULES = """\
version: 1
rules:
  - {id: R21, check: opt_out, title: {zh: 拒收, en: Refusal}, article: test, mode: enforce}
  - {id: LINK, check: bad_link, title: {zh: 链接, en: Links}, article: test, mode: shadow,
     action: quarantine, applies_to: [service, commercial], block: [bad-shop.com]}
  - {id: CONTACT, check: contact_in_text, title: {zh: 联系方式, en: Contacts}, article: test,
     mode: shadow, action: quarantine, applies_to: [service, commercial], kinds: [wechat]}
  - {id: HINT, check: no_optout_hint, title: {zh: 退订, en: Hint}, article: test, mode: shadow}
  - {id: NAME, check: no_sender_name, title: {zh: 名称, en: Name}, article: test, mode: shadow}
  - {id: BRAND, check: impostor, title: {zh: 仿冒, en: Impostor}, article: test, mode: shadow,
     action: quarantine, applies_to: [service, commercial], names: [招商银行]}
  - {id: WALK, check: number_walk, title: {zh: 走号, en: Walk}, article: test, mode: shadow,
     count: 50, within: 1h}
"""
# A day of simulated traffic, `messages` of an SP each; what is held is decided on by people.
TRAFFIC = """\
- {of: shop, messages: 6000, text: "【春晓书店】会员日图书八折，回T退订"}
- {of: shop, messages: 450, text: "【春晓书店】会员日图书八折，欢迎选购"}
- {of: mall, messages: 150, text: "【百汇商城】代开发票，详见 http://bad-shop.com/a 回T退订"}
- {of: mall, messages: 30, text: "【百汇商城】新品见 http://bad-shop.com/b 回T退订"}
- {of: bank, messages: 130, text: "【示例银行】专属顾问加微信abcd1234，详询网点，回T退订"}
- {of: mall, messages: 4, text: "【百汇商城】客服加微信mall1234，回T退订"}
- {of: mall, messages: 20, text: "会员日图书八折，回T退订"}
- {of: bank, messages: 120, text: "【招商银形】低息贷款，回T退订", decided: released}
"""
PROPOSED = """\
LINK: enforce     # five of six have a word of fraud, too
CONTACT: look     # nearly all are of one SP: its advisers
HINT: look        # it would stop every fifteenth message
NAME: wait        # twenty in a day
BRAND: look       # people release what a list holds of it
WALK: wait        # nobody walks
"""


@pytest.fixture
def day(deployment: Path, write: Write, hold: Hold) -> Path:
    """Give a deployment with the records of a day; return its directory."""
    write("policies/rules/trial.yaml", RULES)
    (deployment / "policies/rules/consent.yaml").unlink()
    write(
        "policies/keywords/loan.yaml",
        "version: 1\nid: K-LOAN\ncategory: loan\naction: quarantine\nwords: [低息贷款]\n",
    )
    bundle = load_bundle(deployment / "policies")
    world = World(bundle, tuple(sender(one) for one in ("shop", "mall", "bank")))
    rows = list(chain.from_iterable(sent(world, hold)))
    for number, row in enumerate(rows):
        rows[number] = (row[0], DAY + number * 80_000 / len(rows), *row[2:])
    files = HourFiles(deployment / "var/cdr")
    for hour, _, octets in RecordLines().by_hour(rows):
        files.append(hour, octets)
    files.close()
    return deployment


def sent(world: World, hold: Hold) -> Iterator[list[Row]]:
    """Yield the rows of each kind of traffic; what is held is put into the store, decided on."""
    decided = {"released": {"is_reviewed": True, "state": HoldState.RELEASED}}
    for one in yaml.safe_load(TRAFFIC):
        session = world.session(one["of"], window=10_000)
        rows: list[Row] = []
        for number in range(one["messages"]):
            to = f"138{number * 7_919 % 100_000_000:08}"
            rows += world.submit(session, advert(one["text"], number + 1, to=to)).rows
        yield rows
        for row in [row for row in rows if row[0] == "d" and row[7] and "decided" in one][:12]:
            hold(message_id=row[7], **decided[one["decided"]])


def test_a_recorded_day_is_advised_on_as_the_table_says(day: Path, cli: Cli) -> None:
    where = ("--config", str(day / "config"), "--policies", str(day / "policies"))

    ran = cli("policy", "advise", "--since", "2013-09-30", "--json", *where)

    assert ran.returncode == 0, ran.stderr
    told = {one["rule"]: one for one in json.loads(ran.stdout)["rules"]}
    assert {rule: one["proposal"] for rule, one in told.items()} == yaml.safe_load(PROPOSED)
    assert told["LINK"]["commands"] == ["smsward policy enforce LINK"]
    assert (told["LINK"]["messages"], told["LINK"]["would_stop"]) == (180, 30)
    assert told["LINK"]["senders"] == {"mall": 30}
    assert told["CONTACT"]["senders"] == {"bank": 130, "mall": 4}
    assert (told["BRAND"]["released"], told["BRAND"]["rejected"]) == (12, 0)
    assert told["HINT"]["would_stop"] == 450
    assert told["LINK"]["samples"][0]["system_id"] == "mall"
    assert not told["CONTACT"]["commands"]


def test_people_see_why_and_the_command_that_does_it(day: Path, cli: Cli) -> None:
    where = ("--config", str(day / "config"), "--policies", str(day / "policies"))

    told = cli("policy", "advise", "--since", "2013-09-30", *where).stdout

    assert "\nsmsward policy enforce LINK\n" in told
    assert "people" in told
    assert "13800000000" not in told


def proposed(
    hits: RuleHits, traffic: int = 100_000, *decided: PersonDecision
) -> tuple[Proposal, str]:
    hint = Rule("R", Title("", ""), "[D]", NoOptoutHint(), Enforcement.SHADOW)
    enforced = replace(hint, id="E", mode=Enforcement.ENFORCE)
    counter = FindingCounter("", "~")
    counter.decisions, counter.rules = traffic, {"R": hits}
    hits.held = set(range(len(decided)))
    (one,) = advice_on(
        Bundle("test", "digest", rules=(hint, enforced)), counter, dict(enumerate(decided))
    )
    return one.proposal, one.because


def hits(on_trial: int, would_stop: int, agreed: int, of_first: int | None = None) -> RuleHits:
    first = would_stop if of_first is None else of_first
    places = {("a", "1"): HitCount(0, first), ("b", "2"): HitCount(0, would_stop - first)}
    made = RuleHits(on_trial, would_stop, on_trial=on_trial, agreed=agreed, places=places)
    if of_first is None:
        del made.places["b", "2"]
    return made


RELEASED, REJECTED = PersonDecision.RELEASED, PersonDecision.REJECTED


@pytest.mark.parametrize(
    ("found", "traffic", "decided", "proposal", "because"),
    [
        (hits(99, 0, 99), 100_000, (), "wait", "99 of 100"),
        (hits(100, 50, 100), 100_000, (RELEASED,) * 5, "look", "released 5 of 5"),
        (hits(100, 50, 100), 100_000, (RELEASED,) * 4, "enforce", "100%"),
        (hits(100, 50, 100), 100_000, (*(REJECTED,) * 5, RELEASED), "enforce", "100%"),
        (hits(600, 600, 600), 10_000, (), "look", "6.0%"),
        (hits(500, 500, 500), 10_000, (), "enforce", "100%"),
        (hits(200, 100, 99, 90), 100_000, (), "look", "90 of 100 that it would stop are of a"),
        (hits(200, 100, 99, 60), 100_000, (), "enforce", "0.10%"),
        (hits(200, 100, 99), 100_000, (), "enforce", "0.10%"),
        (hits(200, 101, 99, 60), 100_000, (), "look", "against 50%"),
    ],
)
def test_the_first_ground_counts(
    found: RuleHits,
    traffic: int,
    decided: tuple[PersonDecision, ...],
    proposal: str,
    because: str,
) -> None:
    what, why = proposed(found, traffic, *decided)

    assert what == proposal, why
    assert because in why


def test_policies_with_faults_are_told(day: Path, cli: Cli, write: Write) -> None:
    write("policies/rules/trial.yaml", "version: 7\n")

    ran = cli(
        *("policy", "advise", "--config", str(day / "config")),
        *("--policies", str(day / "policies")),
    )

    assert ran.returncode == 2
    assert "the policies cannot be used" in ran.stderr
