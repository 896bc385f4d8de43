"""Builders for what policy judges, and what it judges with."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypedDict, Unpack

from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Enforcement, KeywordList, ListAction
from gateway.domain.sender import BindLimits, BindType, Port, Purpose, Rate, Sender, SenderState
from gateway.domain.verdict import Action, ReasonCode
from gateway.filter.facts import TextFacts
from gateway.policy.bundle import Bundle, Override, Rule, Title
from gateway.policy.check import Ask, AskedCheck, Check, Sieve
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Account, DeliveryTimes, Submission

FRAUD = KeywordList("K-FRAUD", "fraud", ListAction.REJECT, ("代开发票",))
LOAN = KeywordList("K-LOAN", "loan", ListAction.QUARANTINE, ("低息贷款",))
NOTE = KeywordList("K-NOTE", "note", ListAction.SHADOW, ("限时优惠",))
BUNDLE = Bundle("test", "0123456789ab", keyword_lists=(NOTE, LOAN, FRAUD))

NUMBER = 8613800138000
MARKETING, SERVICE, CODES = b"10690001", b"10690002", b"10690003"  # ports of `sender`
ADVERT = "【春晓书店】会员日全场八折，拒收请回复R"
CODE = "【春晓书店】您的验证码是482915，5分钟内有效"
NEWS = "【春晓书店】您的包裹已放入3号柜"

COMMERCIAL = frozenset({TrafficClass.COMMERCIAL})
EVERYTHING = frozenset(TrafficClass)


class Changes(TypedDict, total=False):
    state: SenderState
    ports: tuple[Port, ...]
    rate: Rate
    statuses: Mapping[str, str]
    owner: str


def sender(system_id: str = "sp1", **changes: Unpack[Changes]) -> Sender:
    usual = Sender(
        system_id=system_id,
        password="",
        name=system_id,
        state=SenderState.ACTIVE,
        binds=BindLimits(8, frozenset(BindType), ()),
        ports=(
            Port("10690001", 4, Purpose.MARKETING),
            Port("10690002"),
            Port("10690003", 0, Purpose.VERIFICATION),
        ),
        rate=Rate(10, 5),
        window=100,
    )
    return replace(usual, **changes)


def submission(
    account: Account | None = None,
    source: bytes = MARKETING,
    destination: bytes = b"13800138000",
    units: int = 1,
) -> Submission:
    return Submission(account or Account(sender()), source, destination, units)


def addressed(
    text: str | None = None,
    *,
    source: bytes = MARKETING,
    destination: bytes = b"13800138000",
    traffic: TrafficClass = TrafficClass.COMMERCIAL,
    is_whole: bool = True,
) -> Submission:
    """Build a message as checks see it: its subscriber found, its class known."""
    one = submission(source=source, destination=destination)
    one.msisdn = int(b"86" + destination)
    one.facts = None if text is None else TextFacts((), (text,), is_whole=is_whole)
    one.traffic = traffic
    return one


class RuleChanges(TypedDict, total=False):
    mode: Enforcement
    applies_to: frozenset[TrafficClass]
    action: Action
    status: str
    on_error: Mapping[TrafficClass, Action]
    overrides: tuple[Override, ...]


def rule(rule_id: str, check: Check, **changes: Unpack[RuleChanges]) -> Rule:
    """Build a rule that is enforced unless told otherwise."""
    usual = Rule(rule_id, Title("规则", "rule"), "[D]", check, Enforcement.ENFORCE)
    return replace(usual, **changes)


class Options(TypedDict, total=False):
    system_id: str
    timing: DeliveryTimes | None
    units: int


class World:
    """One RuleSet, and the messages of its senders: each is judged as the data plane does it."""

    def __init__(
        self,
        *rules: Rule,
        senders: tuple[Sender, ...] | None = None,
        knowledge: Knowledge | None = None,
        surroundings: RuleLocale | None = None,
        before: "World | None" = None,
    ) -> None:
        self.bundle = replace(BUNDLE, rules=rules, surroundings=surroundings or RuleLocale())
        everybody = senders or (sender(rate=Rate(1e6, 10**6)), sender("sp2"))
        earlier: RuleSet | None = None if before is None else before.rules
        known = Knowledge() if earlier is None else earlier.knowledge
        self.knowledge: Knowledge = knowledge or known
        self.rules: RuleSet = RuleSet(self.bundle, everybody, self.knowledge, earlier)
        if earlier is not None:
            self.rules.adopt(earlier)

    def message(
        self,
        source: bytes = MARKETING,
        to: int | str = NUMBER,
        **options: Unpack[Options],
    ) -> Submission:
        account = self.rules.accounts[options.get("system_id", "sp1")]
        one = Submission(account, source, str(to).encode(), options.get("units", 1))
        one.timing = options.get("timing")
        return one

    def judge(
        self,
        text: str = ADVERT,
        source: bytes = MARKETING,
        to: int | str = NUMBER,
        *,
        at: float = 0.0,
        **options: Unpack[Options],
    ) -> Submission:
        one = self.message(source, to, **options)
        if self.rules.judge_address(one, 0.0):
            self.rules.judge_text(one, self.rules.scan.judge_texts((text,)), at)
        return one

    def reason(
        self,
        text: str = ADVERT,
        source: bytes = MARKETING,
        to: int | str = NUMBER,
        *,
        at: float = 0.0,
    ) -> ReasonCode | None:
        """Judge a message; return why it is stopped, None when it passes."""
        return why(self.judge(text, source, to, at=at))


def why(one: Submission) -> ReasonCode | None:
    """Return why a judged message is stopped, None when it passes."""
    deciding = one.verdict.deciding if one.verdict is not None else None
    return deciding.reason if deciding is not None else None


def ask_of(check: AskedCheck, knowledge: Knowledge | None = None) -> Ask:
    """Return the function that asks a check."""
    return check.question(knowledge or Knowledge(), RuleLocale()).ask


def sieve_of(check: AskedCheck, knowledge: Knowledge) -> Sieve:
    """Return the sieve of a check."""
    return check.question(knowledge, RuleLocale()).sieve
