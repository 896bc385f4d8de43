"""A policy bundle as data: what the YAML of one directory says, before it is compiled."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.domain.categories import TrafficClass
from gateway.domain.detector import Detector
from gateway.domain.policy import (
    ContentRule,
    Enforcement,
    KeywordList,
    ListAction,
    RepliesRule,
    RuleEvent,
    SelfTestCase,
)
from gateway.domain.verdict import Action, ReasonCode
from gateway.domain.warning import Severity, WarningCode
from gateway.policy.check import Check, Exemption
from gateway.policy.hours import RuleLocale

COMMERCIAL = frozenset({TrafficClass.COMMERCIAL})


@dataclass(frozen=True, slots=True)
class Override:
    """Another mode of a rule for one sender, or for one of its ports.

    `sender` is a system_id, `port` the number of a port as configured; the port takes precedence.
    `because` is for those who read it later.
    """

    mode: Enforcement
    sender: str = ""
    port: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Title:
    """What a rule is called."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `article` cites what asks for it; `status` "" means that of the check's reason.

    `event` says about which messages it is asked, and `applies_to` about which classes of them.
    `on_error` is the action for a class while the rule's data cannot be read; a class that is not
    in it passes. Each finding raises the `warning`, which is a violation if it has a `severity`
    (R95).
    """

    id: str
    title: Title
    article: str
    check: Check
    mode: Enforcement = Enforcement.SHADOW
    applies_to: frozenset[TrafficClass] = COMMERCIAL
    action: Action = Action.REJECT
    status: str = ""
    on_error: Mapping[TrafficClass, Action] = field(
        default_factory=lambda: {TrafficClass.COMMERCIAL: Action.REJECT}
    )
    overrides: tuple[Override, ...] = ()
    warning: WarningCode | None = None
    severity: Severity | None = None
    event: RuleEvent = RuleEvent.SUBMIT

    def __post_init__(self) -> None:
        defers = self.action is Action.DEFER and Action.DEFER not in self.check.allowed_actions
        if defers or Action.DEFER in self.on_error.values():
            raise ValueError("only a message that comes at a bad time can wait for a better one")
        if self.severity is not None and self.warning is None:
            raise ValueError("a violation is a warning first")

    @property
    def reason(self) -> ReasonCode:
        """Return the reason that its findings give."""
        return self.check.reason

    @property
    def can_stop(self) -> bool:
        """Tell whether any message could be stopped by this rule."""
        modes = {self.mode, *(override.mode for override in self.overrides)}
        return (
            Enforcement.ENFORCE in modes
            and bool(self.applies_to)
            and not isinstance(self.check, Exemption)
        )

    @property
    def is_off(self) -> bool:
        """Tell whether it is off for every sender."""
        return {self.mode, *(one.mode for one in self.overrides)} == {Enforcement.OFF}


_PASSES_ALL = ContentRule(unreadable=Action.FORWARD)


_CHINA = RuleLocale()


@dataclass(frozen=True, slots=True)
class Bundle:
    """One version of the policy. `digest` names its exact files in every verdict.

    `posture` says how much of what looks like spam it stops: balanced, watch, strict.
    Without `replies`, only the SP handles what subscribers write. `detectors` watch what ports
    do over time; no message is stopped by one.
    """

    name: str
    digest: str
    keyword_lists: tuple[KeywordList, ...] = ()
    rules: tuple[Rule, ...] = ()
    replies: RepliesRule | None = None
    content: ContentRule = _PASSES_ALL
    surroundings: RuleLocale = _CHINA
    posture: str = "balanced"
    selftest: tuple[SelfTestCase, ...] = ()
    detectors: tuple[Detector, ...] = ()

    @property
    def is_open(self) -> bool:
        """Tell whether nothing in the bundle can stop a message."""
        return (
            self.content.unreadable is Action.FORWARD
            and not any(rule.can_stop for rule in self.rules)
            and all(words.action is ListAction.SHADOW for words in self.keyword_lists)
        )

    def ids(self) -> frozenset[str]:
        """Return the ids of its rules and lists, which findings name."""
        return frozenset({one.id for one in self.rules} | {one.id for one in self.keyword_lists})


@dataclass(frozen=True, slots=True)
class Citation:
    """A rule's title in both languages, and its source as RULES cite it."""

    title: Title
    article: str


# What is always enforced: it defines what an SP is, and is not a policy.
ALWAYS: Mapping[str, Citation] = {
    "R01": Citation(
        Title("发送方须持有效许可并已登记", "A sender must be licensed and registered"),
        "通信短信息服务管理规定（2015）第六、七条",
    ),
    "R02": Citation(
        Title("主叫号码必须真实，且属于发送方", "The source is never empty and never false"),
        "信部电[2004]136号；通信短信息服务管理规定（2015）",
    ),
    "R03": Citation(
        Title("号码扩展位不得超出分配", "No more digits behind a port than were allotted"),
        "码号管理惯例，未找到条款（practice, no clause found）[PR]",
    ),
    "R23": Citation(
        Title("征求同意只能一次，不答复视为拒绝", "Consent is asked for once; silence is a no"),
        "全国人大常委会关于加强网络信息保护的决定（2012）第七项；通信短信息服务管理规定征求意见稿（2014）[P]",
    ),
    "R44": Citation(
        Title("发送方的速率", "The rate of a sender"),
        "合同约定，未找到条款（contract, no clause found）[NF]",
    ),
    "R88": Citation(
        Title("被多名用户举报的端口先行暂停", "A port that many complain of is suspended"),
        "印度电信监管局规则，平台惯例（TRAI; practice of platforms）[P]",
    ),
    "R97": Citation(
        Title("重新开通的端口在观察期内限量", "A port that was reopened is capped on probation"),
        "电信业务经营惯例（2013），两人审批（practice; two persons approve）[PR]",
    ),
    "DESTINATION": Citation(
        Title("被叫须为用户号码", "The destination is a subscriber"),
        "由协议推定（derived）[D]",
    ),
}
_CONTENT = "全国人大常委会关于加强网络信息保护的决定（2012）第五项；通信短信息服务管理规定（2015）"
_OF_THE_TEXT = {
    "UNREADABLE": Title("无法解读的内容", "A text that cannot be read"),
    "CONTENT": Title("未经检查的内容", "A text that could not be checked"),
}


def citation_of(bundle: Bundle, rule_id: str) -> Citation:
    """Return what to cite for a finding of the rule `rule_id` under `bundle`."""
    for rule in bundle.rules:
        if rule.id == rule_id:
            return Citation(rule.title, rule.article)
    always = ALWAYS.get(rule_id)
    if always is not None:
        return always
    for words in bundle.keyword_lists:
        if words.id == rule_id:
            title = Title(f"关键词库 {words.category}", f"The word list {words.category}")
            return Citation(title, _CONTENT)
    return Citation(_OF_THE_TEXT.get(rule_id, Title(rule_id, rule_id)), _CONTENT)
