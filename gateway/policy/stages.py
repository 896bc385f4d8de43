"""The stages that need no text, cheapest first: each returns a finding or None."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gateway.domain.msisdn import msisdn_of
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.bundle import Bundle, Title
from gateway.policy.submission import Submission

# Returns a finding against a message at a monotonic moment, or None.
Stage: TypeAlias = Callable[[Submission, float], Finding | None]

# What these stages always enforce: it defines what an SP is, and is not a policy.
ALWAYS: Mapping[str, tuple[Title, str]] = {
    "R01": (
        Title("发送方须持有效许可并已登记", "A sender must be licensed and registered"),
        "通信短信息服务管理规定（2015）第六、七条",
    ),
    "R02": (
        Title("主叫号码必须真实，且属于发送方", "The source is never empty and never false"),
        "信部电[2004]136号；通信短信息服务管理规定（2015）",
    ),
    "R03": (
        Title("号码扩展位不得超出分配", "No more digits behind a port than were allotted"),
        "码号管理惯例，未找到条款（practice, no clause found）[PR]",
    ),
    "R23": (
        Title("征求同意只能一次，不答复视为拒绝", "Consent is asked for once; silence is a no"),
        "全国人大常委会关于加强网络信息保护的决定（2012）第七项；通信短信息服务管理规定征求意见稿（2014）[P]",
    ),
    "R44": (
        Title("发送方的速率", "The rate of a sender"),
        "合同约定，未找到条款（contract, no clause found）[NF]",
    ),
    "DESTINATION": (
        Title("被叫须为用户号码", "The destination is a subscriber"),
        "由协议推定（derived）[D]",
    ),
}

_NOT_OWNED = Finding(
    "R02", Reason.SOURCE_NOT_OWNED, Action.REJECT, "no port of this sender", zh="不是该服务商的端口"
)
_TOO_LONG = Finding(
    "R03",
    Reason.EXT_TOO_LONG,
    Action.REJECT,
    "more digits behind the port than were allotted",
    zh="端口后的扩展位数超出分配",
)
_NO_SUBSCRIBER = Finding(
    "DESTINATION",
    Reason.DESTINATION_INVALID,
    Action.REJECT,
    "no subscriber number",
    zh="不是用户号码",
)
_TOO_FAST = Finding(
    "R44",
    Reason.RATE,
    Action.THROTTLE,
    "over the sender's rate and burst",
    zh="超过服务商的速率和突发上限",
)


def standing(submission: Submission, _now: float) -> Finding | None:
    """Find against every message of a sender that is suspended or expired (O31 art. 6)."""
    return submission.account.standing


def source(submission: Submission, _now: float) -> Finding | None:
    """Find against a source address outside the sender's ports (N136: never false; R02, R03)."""
    if submission.port is not None:
        return None
    return _TOO_LONG if submission.account.is_extended(submission.source) else _NOT_OWNED


def destination(submission: Submission, _now: float) -> Finding | None:
    """Find against a destination that is no subscriber number: no refusal could be looked up."""
    number = msisdn_of(submission.destination)
    submission.msisdn = number
    return None if number is not None else _NO_SUBSCRIBER


def rate(submission: Submission, now: float) -> Finding | None:
    """Find against a message over the sender's token bucket. Every judged message is charged."""
    units = submission.units
    if not units or submission.account.bucket.take(now, units):
        return None
    return _TOO_FAST


_CONTENT = "全国人大常委会关于加强网络信息保护的决定（2012）第五项；通信短信息服务管理规定（2015）"
_OF_THE_TEXT = {
    "UNREADABLE": Title("无法解读的内容", "A text that cannot be read"),
    "CONTENT": Title("未经检查的内容", "A text that could not be checked"),
}


@dataclass(frozen=True, slots=True)
class Citation:
    """A rule's title in both languages, and its source as RULES cite it."""

    title: Title
    article: str


def citation_of(bundle: Bundle, rule_id: str) -> Citation:
    """Return what to cite for a finding of the rule `rule_id` under `bundle`."""
    for rule in bundle.rules:
        if rule.id == rule_id:
            return Citation(rule.title, rule.article)
    always = ALWAYS.get(rule_id)
    if always is not None:
        return Citation(*always)
    for words in bundle.keyword_lists:
        if words.id == rule_id:
            title = Title(f"关键词库 {words.category}", f"The word list {words.category}")
            return Citation(title, _CONTENT)
    return Citation(_OF_THE_TEXT.get(rule_id, Title(rule_id, rule_id)), _CONTENT)
