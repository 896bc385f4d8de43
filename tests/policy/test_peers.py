"""What other networks send (R63): any number but those of SPs here, judged by rules of its own."""

from dataclasses import replace

import pytest

from gateway.domain.consent import Answer
from gateway.domain.filings import PortScope
from gateway.domain.policy import Enforcement, RuleEvent
from gateway.domain.sender import PEERS, Port, SenderKind, foreign_number
from gateway.domain.verdict import Action, Reason
from gateway.policy import submission as submissions
from gateway.policy.bundle import Override, Rule
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.source_suspension import SourceSuspension
from gateway.policy.checks.suspicious import Suspicious, Tolerance
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from tests.policy.conftest import ADVERT, BUNDLE, EVERYTHING, NUMBER, rule, sender, submission
from tests.policy.scorers import WordScorer

PEER = replace(sender("cmcc", ports=()), kind=SenderKind.PEER)
FOREIGN = b"1065712345"
OF_SPS = rule("R38", NoSenderName(), applies_to=EVERYTHING)
REFUSED = replace(rule("R63-refused", OptOut(), action=Action.QUARANTINE), event=RuleEvent.MT_IN)
SUSPENDED = replace(
    rule("R63-number", SourceSuspension(), applies_to=EVERYTHING), event=RuleEvent.MT_IN
)
OBVIOUS = replace(
    rule("R63", Suspicious(0.5, score=0.9), applies_to=EVERYTHING, action=Action.QUARANTINE),
    event=RuleEvent.MT_IN,
)


def rules_of(*rules: Rule, knowledge: Knowledge | None = None) -> RuleSet:
    bundle = replace(BUNDLE, rules=rules)
    return RuleSet(bundle, [sender(), PEER], knowledge or Knowledge())


def judged(
    rules: RuleSet, text: str, source: bytes = FOREIGN, system_id: str = "cmcc"
) -> tuple[Action | None, list[str]]:
    one = submission(rules.accounts[system_id], source)
    if rules.judge_address(one, 0.0):
        rules.judge_text(one, rules.scan.judge_texts((text,)), 0.0)
    action = None if one.verdict is None else one.verdict.action
    return action, [found.rule for found in one.findings]


@pytest.mark.parametrize(
    ("source", "number"),
    [
        ("1065712345", "1065712345"),
        ("861065712345", "1065712345"),
        ("+861065712345", "1065712345"),
        ("+447700900123", "447700900123"),
        ("+00861065712345", "1065712345"),
        ("86861065712345", "1065712345"),
        ("000086+861065712345", ""),
        ("013900139000", "13900139000"),
        ("+86013900139000", "13900139000"),
        ("868613900139000", "13900139000"),
        ("086013900139000", "13900139000"),
        ("00013900139000", "13900139000"),
        ("01087654321", "01087654321"),  # fixed lines have a 0 before their area
        ("02012345678", "02012345678"),
        ("053112345678", "053112345678"),
        ("01390013900", "01390013900"),  # too short for a mobile number
        ("86", "86"),
        ("00", ""),
        ("vk-quikpy", "VK-QUIKPY"),
        ("Bank  ", "BANK"),
        ("", ""),
        ("106571234500000000001", ""),
        ("10657\u4e00", ""),
    ],
)
def test_a_number_of_another_network_is_one_however_it_is_written(source: str, number: str) -> None:
    assert foreign_number(source) == number


@pytest.mark.parametrize(
    "source",
    [
        *(b"10690001", b"106900010042", b"8610690001", b"+8610690001"),
        *(b"106900010042999", b"+008610690001", b"868610690001", b"0010690001"),
        *(b"Bank", b"bank", b"BANK ", b"+Bank"),
        *(b"1069777", b"861069777", b"Shop", b"shop  "),
    ],
)
def test_r63_no_peer_sends_from_a_port_of_an_sp_here(source: bytes) -> None:
    ports = (Port("10690001", 4), Port("Bank"), Port("861069777"), Port("00"), Port("shop "))
    rules = RuleSet(BUNDLE, [sender(ports=ports), PEER], Knowledge())

    action, found = judged(rules, "您的包裹已放入3号柜", source)

    assert (action, found) == (Action.REJECT, ["R02"])


@pytest.mark.parametrize("source", [b"013900139000", b"+86013900139000", b"086139001390001"])
def test_r63_a_zero_before_a_person_s_number_makes_no_other_number_of_it(source: bytes) -> None:
    rules = RuleSet(BUNDLE, [sender(ports=(Port("13900139000"),)), PEER], Knowledge())
    others = RuleSet(BUNDLE, [sender(), PEER], Knowledge())

    origin = others.accounts["cmcc"].origin_of(source[: source.index(b"139") + 11])

    assert judged(rules, "您的包裹已放入3号柜", source)[1] == ["R02"]
    assert (origin.home.number, origin.is_personal) == ("13900139000", True)


@pytest.mark.parametrize("source", [b"10010", b"8610010", b"+8610010", b"0010010"])
def test_r63_no_peer_sends_from_a_code_of_the_carrier_itself(source: bytes) -> None:
    rules = rules_of()
    text = "您的包裹已放入3号柜"
    before = judged(rules, text, source)

    rules.keep_codes(frozenset({"10010"}))
    rules.keep_codes(frozenset({"10010"}))

    assert before == (None, [])
    assert judged(rules, text, source) == (Action.REJECT, ["R02"])
    assert judged(rules, text, b"1001012345") == (None, [])  # a longer number is another
    rules.keep_codes(frozenset())
    assert judged(rules, text, source) == (None, [])


def test_r63_a_fixed_line_is_no_person_s_number() -> None:
    origin = (
        RuleSet(BUNDLE, [sender(), PEER], Knowledge()).accounts["cmcc"].origin_of(b"02012345678")
    )

    assert (origin.home.number, origin.is_personal) == ("02012345678", False)


def test_r63_a_name_that_begins_like_one_of_an_sp_is_another_network_s() -> None:
    rules = RuleSet(BUNDLE, [sender(ports=(Port("Bank"),)), PEER], Knowledge())

    assert judged(rules, "您的包裹已放入3号柜", b"Bankers")[0] is None
    assert judged(rules, "您的包裹已放入3号柜", b"1069000")[0] is None


@pytest.mark.parametrize("source", [b"13900139000", b"8613900139000", b"+868613900139000"])
def test_r63_a_suspended_person_is_refused_however_a_peer_writes_the_number(source: bytes) -> None:
    knowledge = Knowledge()
    rules = rules_of(SUSPENDED, knowledge=knowledge)
    knowledge.suspended.until[8613900139000] = 10.0

    assert judged(rules, "在家吗", source) == (Action.REJECT, ["R63-number"])
    assert judged(rules, "在家吗", source[:-1] + b"1") == (None, [])
    assert judged(rules, "在家吗", b"Sam") == (None, [])


def test_r63_a_peer_sends_from_any_other_number_but_none() -> None:
    rules = rules_of()

    assert judged(rules, "您的包裹已放入3号柜") == (None, [])
    assert judged(rules, "在家吗", b"13900139000") == (None, [])
    assert judged(rules, "您的包裹已放入3号柜", b"") == (Action.REJECT, ["R02"])


def test_r63_rules_about_sps_do_not_apply_to_peers_nor_theirs_to_sps() -> None:
    rules = rules_of(OF_SPS, OBVIOUS, knowledge=Knowledge(scorer=WordScorer()))
    text = "恭喜您中奖，请来领奖"

    assert judged(rules, ADVERT.replace("【春晓书店】", ""))[1] == []
    assert judged(rules, text) == (Action.QUARANTINE, ["R63"])
    assert "R63" not in judged(rules, text, b"10690001", "sp1")[1]


def test_r63_what_is_not_obvious_passes() -> None:
    rules = rules_of(OBVIOUS, knowledge=Knowledge(scorer=WordScorer()))

    assert judged(rules, "清仓处理") == (None, [])


def test_r63_what_a_list_refuses_is_held_as_evidence() -> None:
    rules = rules_of()

    assert judged(rules, "代开发票，电话见内")[0] is Action.QUARANTINE
    assert judged(rules, "代开发票，电话见内", b"10690001", "sp1")[0] is Action.REJECT


def test_r63_r86_what_a_subscriber_refused_is_held_from_whichever_peer_it_comes() -> None:
    knowledge = Knowledge()
    rules = rules_of(REFUSED, knowledge=knowledge)
    knowledge.consent.apply(NUMBER, f"{PEERS} 1065712345", Answer.REFUSED)

    assert judged(rules, ADVERT) == (Action.QUARANTINE, ["R63-refused"])
    for again in (b"861065712345", b"+008686" + FOREIGN):
        assert judged(rules, ADVERT, again) == (Action.QUARANTINE, ["R63-refused"])
    assert judged(rules, ADVERT, b"1065700000") == (None, [])
    assert judged(rules, ADVERT, b"10690001", "sp1") == (None, [])


def test_r63_a_blocked_number_is_refused_and_no_other() -> None:
    rules = rules_of()
    rules.accounts["cmcc"].suspend_ports(frozenset({"1065712345", "VK-QUIKPY"}))

    for source in (b"861065712345", b"86861065712345", b"+00861065712345", b"vk-quikpy "):
        one = submission(rules.accounts["cmcc"], source)
        assert not rules.judge_address(one, 0.0)
        assert one.verdict is not None
        assert one.verdict.findings[0].rule == "R63"
        assert one.verdict.findings[0].reason is Reason.SOURCE_SUSPENDED
    assert judged(rules, "您的包裹已放入3号柜", b"1065700000") == (None, [])


def test_a_peer_with_numbers_without_end_takes_no_memory_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(submissions, "_MAX_CACHED_SOURCES", 10)
    account = rules_of().accounts["cmcc"]

    for number in range(100):
        account.origin_of(b"10657%05d" % number)

    assert len(account.origins) <= 10
    assert len(account._homes) <= 10


def test_numbers_of_a_peer_share_what_was_decided_about_a_text() -> None:
    tolerances = (Tolerance(0.2, port="1065700008"),)
    named = replace(
        OBVIOUS,
        check=Suspicious(0.5, score=0.9, tolerances=tolerances),
        overrides=(Override(Enforcement.OFF, port="1065700009"),),
    )
    rules = rules_of(named, knowledge=Knowledge(scorer=WordScorer()))
    facts = rules.scan.judge_texts(("恭喜您中奖，请来领奖",))
    actions = []

    for last in range(10):
        one = submission(rules.accounts["cmcc"], b"106570000%d" % last)
        assert rules.judge_address(one, float(last))
        rules.judge_text(one, facts, float(last))
        actions.append(one.verdict.action if one.verdict is not None else None)

    assert actions == [Action.QUARANTINE] * 9 + [None]
    assert facts.rulings is not None
    assert len(facts.rulings) == 2  # and the first


def test_numbers_of_a_peer_with_filings_for_single_ports_are_told_apart() -> None:
    knowledge = Knowledge()
    knowledge.filings.replace("cmcc", [PortScope("cmcc", "1065700001", "福建")])
    rules = rules_of(OBVIOUS, knowledge=knowledge)
    facts = rules.scan.judge_texts(("您的包裹已放入3号柜",))

    for source in (b"1065700001", b"1065700002"):
        one = submission(rules.accounts["cmcc"], source)
        assert rules.judge_address(one, 0.0)
        rules.judge_text(one, facts, 0.0)

    assert facts.rulings is not None
    assert len(facts.rulings) == 1  # and the first


def test_the_score_and_a_second_model_do_not_go_together() -> None:
    with pytest.raises(ValueError, match="do not go together"):
        Suspicious(0.5, seconded=0.9, score=0.9)
