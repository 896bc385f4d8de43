"""Early warnings (预警): what was noticed on an SP's port, and how it was handled (R95)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Self

# A kind of warning is raised once in this time; later messages are counted in it (R95).
RAISED_ONCE_IN = timedelta(hours=24)
# The SP answers in this time; after it the warning is escalated (R95).
ANSWERED_IN = timedelta(hours=24)
MAX_SAMPLES = 5


class WarningCode(StrEnum):
    """What can be warned of; 预警 codes of the irregularity list (R95)."""

    zh: str
    en: str

    def __new__(cls, code: str, zh: str = "", en: str = "") -> Self:
        """Make a member with what it means."""
        one = str.__new__(cls, code)
        one._value_, one.zh, one.en = code, zh, en
        return one

    W1 = "W1", "签名缺失或未报备", "no signature, or an unknown one"
    W2 = "W2", "未附退订方式", "no way to refuse is told"
    W3 = "W3", "非营销端口发送营销内容", "promotion from a port for another purpose"
    W4 = "W4", "夜间发送", "sent at night"
    W5 = "W5", "用户退订后仍发送", "attempts after a refusal"
    W6 = "W6", "举报率偏高", "many complaints"
    W7 = "W7", "发送量突增", "a burst of traffic"
    W8 = "W8", "端口超出使用范围", "a port used outside its scope"
    W9 = "W9", "号段群发或空号比例高", "numbers in a row, or mostly unknown ones"
    W10 = "W10", "未经同意发送", "attempts without consent"
    W11 = "W11", "退订率偏高", "many refusals"
    W12 = "W12", "变体字规避", "characters that evade the filter"
    W13 = "W13", "内容偏离模板", "texts drift away from their template"

    # The hash of enum is Python code: a warning is counted by its code in the tick.
    __hash__ = str.__hash__


class Severity(StrEnum):
    """Severity of a violation (违规); a warning of a rule without one is not a violation."""

    GENERAL = "general"
    SERIOUS = "serious"
    MAJOR = "major"


class WarningState(StrEnum):
    """State of a warning: not answered yet, escalated for that, answered by the SP, or closed."""

    OPEN = "open"
    ESCALATED = "escalated"
    ANSWERED = "answered"
    CLOSED = "closed"


# The articles of the rules for SMS services (通信短信息服务管理规定, 2015) that violations are
# against, by code, as far as one is known. "o31.19" and "o31.21" are cited from memory.
ARTICLES: Mapping[WarningCode, str] = {
    WarningCode.W1: "o31.21",
    WarningCode.W2: "o31.18",
    WarningCode.W3: "o31.19",
    WarningCode.W5: "o31.18",
    WarningCode.W10: "o31.18",
}
# The articles that its article 33 has penalties for. Those without a code show in nothing that is
# noticed here: no violation of them in a register does not mean that there was none.
PENALISED_ARTICLES = tuple(
    f"o31.{one}" for one in ("7", "8", "9", "10", "11", "12", "15", "18", "19", "20", "21", "27(3)")
)
UNOBSERVED_ARTICLES = tuple(one for one in PENALISED_ARTICLES if one not in ARTICLES.values())
# What its article 33 provides for violations of them. For the authority: this program fines nobody.
PENALTY = (
    "责令改正，给予警告，可并处一万元以上三万元以下罚款，并向社会公告（第三十三条）"
    " / order to correct, warning, fine of 10 000 to 30 000 yuan, public notice (article 33)"
)


class ViolationCount(NamedTuple):
    """How many violations of a code an SP has on record, of how many messages, and from when."""

    code: WarningCode
    system_id: str
    violations: int
    messages: int
    first_at: datetime
    last_at: datetime

    @property
    def article(self) -> str:
        """Return the article that they are against, "" where none is known."""
        return ARTICLES.get(self.code, "")


class WarningKind(NamedTuple):
    """What makes two warnings the same; `port` is the number of a port as configured."""

    code: WarningCode
    rule: str
    system_id: str
    port: str


@dataclass(frozen=True, slots=True)
class WarningCount:
    """What was noticed of one kind in a while: `count` messages, from the first to the last.

    A rule that only watches noticed `on_trial` of them, so they may have been forwarded. `samples`
    locate a few of them in the records: the gateway's message id, or ``session:sequence_number``.
    `category` and `campaign` are the first that any of them had.
    """

    kind: WarningKind
    severity: Severity | None
    count: int
    on_trial: int
    first_at: datetime
    last_at: datetime
    samples: tuple[str, ...] = ()
    category: str = ""
    campaign: str = ""

    def joined(self, later: "WarningCount") -> "WarningCount":
        """Return the sum of both; of samples, category and campaign the first ones."""
        return replace(
            self,
            count=self.count + later.count,
            on_trial=self.on_trial + later.on_trial,
            first_at=min(self.first_at, later.first_at),
            last_at=max(self.last_at, later.last_at),
            samples=(self.samples + later.samples)[:MAX_SAMPLES],
            category=self.category or later.category,
            campaign=self.campaign or later.campaign,
        )


@dataclass(frozen=True, slots=True)
class WarningNote:
    """A person's note on a warning."""

    by: str
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class EarlyWarning:
    """A warning on record; numbers increase and are never reused.

    It was raised at the `first_at` of what was `gathered` in it. `escalated_at` stays when it is
    answered later.
    """

    number: int
    gathered: WarningCount
    state: WarningState = WarningState.OPEN
    answer: WarningNote | None = None
    closing: WarningNote | None = None
    escalated_at: datetime | None = None

    @property
    def due_at(self) -> datetime:
        """Return when the answer of the SP is due."""
        return self.gathered.first_at + ANSWERED_IN

    def takes(self, later: WarningCount) -> bool:
        """Tell whether what came `later`, of the same kind, is counted in this one."""
        return later.first_at - self.gathered.first_at < RAISED_ONCE_IN
