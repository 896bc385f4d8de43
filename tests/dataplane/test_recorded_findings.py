"""Every finding is on record and counted: of messages that pass, are held and are refused."""

from dataclasses import replace

from gateway.dataplane.plane import Batch, nothing_found
from gateway.domain.categories import TrafficClass
from gateway.domain.consent import Answer
from gateway.domain.policy import Enforcement, KeywordList, ListAction
from gateway.domain.records import Why
from gateway.domain.sender import Port, Purpose
from gateway.domain.verdict import Action
from gateway.domain.warning import Severity
from gateway.filter.contacts import ContactKind
from gateway.filter.keywords.index import word_id
from gateway.policy.checks.contact_in_text import ContactInText
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from simulators import builders
from tests.dataplane.conftest import (
    BUNDLE,
    CLEAN,
    DUBIOUS,
    NOTED,
    PORT,
    SPAM,
    World,
    advert,
    rule,
    sender,
)

OTHER = "10690002"
BOTH = f"{NOTED}：{DUBIOUS}"


def whys(batch: Batch) -> list[Why]:
    return [row[6] for row in batch.rows if row[0] == "d"]


def told(why: Why) -> list[tuple[str, bool, str]]:
    """Return rule, whether it only records, and action of each finding."""
    return [(one.rule, one.shadow, one.action.value) for one in why.findings]


def test_a_message_without_findings_shares_what_is_said_of_all_that_pass() -> None:
    world = World()

    first, second = whys(world.submit(world.session(), advert(CLEAN), advert(CLEAN, 2)))

    assert first is second is nothing_found(BUNDLE.digest)
    assert first.findings == ()


def test_every_decision_names_the_class_of_its_message_and_what_decided_about_it() -> None:
    ports = (Port(PORT, 4, Purpose.MARKETING), Port(OTHER, 4, Purpose.SERVICE))
    hint = rule("R38", NoOptoutHint(), mode=Enforcement.SHADOW, applies_to=frozenset(TrafficClass))
    world = World(replace(BUNDLE, rules=(hint, rule("R21", OptOut()))), (sender(ports=ports),))
    world.knowledge.consent.apply(8613800138001, "sp1", Answer.REFUSED)

    said = world.submit(
        world.session(),
        *(advert(CLEAN), advert(CLEAN, 2, source=OTHER), advert(CLEAN, 3, to="13800138001")),
        *(
            advert(CLEAN, 4, source=OTHER),
            advert("您的验证码是4821", 5),
            advert(SPAM, 6, source=OTHER),
        ),
        advert(CLEAN, 7, source="999"),
    )

    assert [(one.traffic, one.classed_by) for one in whys(said)] == [
        *(("commercial", "port"), ("service", "port"), ("commercial", "port")),
        *(("service", "port"), ("verification", "text"), ("commercial", "text"), ("", "")),
    ]


def test_messages_without_findings_share_what_is_said_of_their_class() -> None:
    world = World(replace(BUNDLE, rules=(rule("R21", OptOut()),)))
    code = "您的验证码是4821"

    said = whys(
        world.submit(world.session(), *map(advert, (CLEAN, code, CLEAN, code), range(1, 5)))
    )

    assert said[0] is said[2] is not said[1]
    assert said[1] is said[3]
    assert [one.traffic for one in said[:2]] == ["commercial", "verification"]


def test_a_message_that_passes_bears_the_findings_of_all_rules_in_shadow_mode() -> None:
    hint = rule("R38", NoOptoutHint(), mode=Enforcement.SHADOW)
    world = World(replace(BUNDLE, rules=(hint,)))

    (why,) = whys(world.submit(world.session(), advert(NOTED)))

    assert (why.action, why.rule) == ("shadow", "R38")
    assert told(why) == [("R38", True, "reject"), ("K-NOTE", True, "forward")]


def test_messages_with_the_same_findings_share_what_is_said_of_them() -> None:
    world = World()
    session = world.session()

    of_shadow = whys(world.submit(session, advert(NOTED), advert(NOTED, 2)))
    of_stopped = whys(world.submit(session, advert(SPAM, 3), advert(SPAM, 4)))

    assert of_shadow[0] is of_shadow[1]
    assert of_stopped[0] is of_stopped[1]


def test_a_message_that_is_stopped_also_bears_what_else_is_in_its_text() -> None:
    hint = rule("R38", NoOptoutHint())
    contact = rule("R61-contact", ContactInText(frozenset(ContactKind)), mode=Enforcement.SHADOW)
    world = World(replace(BUNDLE, rules=(hint, contact)))

    (why,) = whys(world.submit(world.session(), advert(f"{BOTH}，加微信abc12345")))

    assert (why.action, why.rule) == ("reject", "R38")
    assert told(why) == [
        ("R38", False, "reject"),
        ("R61-contact", True, "reject"),
        ("K-LOAN", False, "quarantine"),
        ("K-NOTE", True, "forward"),
    ]


def test_a_refusal_does_not_hide_what_is_in_the_text() -> None:
    world = World(replace(BUNDLE, rules=(rule("R21", OptOut()),)))
    world.knowledge.consent.apply(8613800138000, "sp1", Answer.REFUSED)

    (why,) = whys(world.submit(world.session(), advert(NOTED)))

    assert (why.action, why.rule) == ("reject", "R21")
    assert told(why) == [("R21", False, "reject"), ("K-NOTE", True, "forward")]


def test_a_message_that_its_addresses_stop_bears_that_alone() -> None:
    world = World()

    (why,) = whys(world.submit(world.session(), advert(SPAM, source="999")))

    assert told(why) == [("R02", False, "reject")]


def test_a_destination_that_is_left_out_bears_all_findings() -> None:
    world = World(replace(BUNDLE, rules=(rule("R21", OptOut()),)))
    world.knowledge.consent.apply(8613800138001, "sp1", Answer.REFUSED)
    several = builders.submit_multi(
        "10690001", ["13800138000", "13800138001"], builders.ucs2(NOTED)
    )

    passed, left_out = whys(world.submit(world.session(), several))

    assert told(passed) == [("K-NOTE", True, "forward")]
    assert told(left_out) == [("R21", False, "reject"), ("K-NOTE", True, "forward")]


def test_a_word_is_named_by_its_list_and_its_id_with_the_severity_of_the_list() -> None:
    prize = KeywordList(
        "K-PRIZE", "fraud_prize", ListAction.REJECT, ("恭喜您中奖",), severity=Severity.SERIOUS
    )
    world = World(replace(BUNDLE, keyword_lists=(prize,)))

    (why,) = whys(world.submit(world.session(), advert("恭喜您中奖了")))

    (finding,) = why.findings
    assert (finding.rule, finding.word) == ("K-PRIZE", word_id("恭喜您中奖"))
    assert (finding.severity, finding.category) == (Severity.SERIOUS, "fraud_prize")
    assert finding.action is Action.REJECT


def test_messages_are_counted_by_rule_and_mode_whatever_became_of_them() -> None:
    hint = rule("R38", NoOptoutHint(), mode=Enforcement.SHADOW)
    world = World(replace(BUNDLE, rules=(hint, rule("R21", OptOut()))))
    world.knowledge.consent.apply(8613800138001, "sp1", Answer.REFUSED)
    session, several = world.session(), ["13800138000", "13800138001"]

    world.submit(session, advert(CLEAN), advert(NOTED, 2), advert(f"{NOTED}，{SPAM}", 3))
    world.submit(session, advert(f"{SPAM} free money {DUBIOUS}", 4))
    world.submit(session, advert(NOTED, 5, source="999"))
    world.submit(session, builders.submit_multi("10690001", several, builders.ucs2(NOTED)))

    assert world.plane.tally.findings == {
        ("R38", "shadow"): 6,
        ("K-NOTE", "shadow"): 4,
        ("K-FRAUD", "enforce"): 2,
        ("K-LOAN", "enforce"): 1,
        ("R02", "enforce"): 1,
        ("R21", "enforce"): 1,
    }


def test_rules_that_are_gone_are_counted_no_more_and_others_go_on() -> None:
    world = World()
    session = world.session()
    world.submit(session, advert(NOTED), advert(SPAM, 2), advert(CLEAN, 3, source="999"))
    lists = tuple(one for one in BUNDLE.keyword_lists if one.id != "K-NOTE")
    rules = RuleSet(replace(BUNDLE, keyword_lists=lists), (sender(),), Knowledge())

    world.plane.load(rules)

    assert world.plane.tally.findings == {("K-FRAUD", "enforce"): 1, ("R02", "enforce"): 1}
