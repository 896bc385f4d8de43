"""A policy bundle as data: what the YAML of one directory says, before it is compiled."""

from dataclasses import dataclass

from gateway.domain.policy import ContentRule, KeywordList, ListAction, RepliesRule, SelfTestCase
from gateway.domain.verdict import Action
from gateway.policy.calendar import HolidayCalendar
from gateway.policy.rules import Rule

_NO_HOLIDAYS = HolidayCalendar("none")
_PASSES_ALL = ContentRule(unreadable=Action.FORWARD)


@dataclass(frozen=True, slots=True)
class RuleLocale:
    """Where and when the rules hold: the time zone of windows and the holiday calendar.

    `zone` is the time zone of subscribers without a zone in their number, and of clock limits.
    `capacity` bounds the keys of each frequency limit.
    """

    zone: str = "Asia/Shanghai"
    calendar: HolidayCalendar = _NO_HOLIDAYS
    capacity: int = 1_000_000


_CHINA = RuleLocale()


@dataclass(frozen=True, slots=True)
class Bundle:
    """One version of the policy. `digest` names its exact files in every verdict.

    Without `replies`, only the SP handles what subscribers write.
    """

    name: str
    digest: str
    keyword_lists: tuple[KeywordList, ...] = ()
    rules: tuple[Rule, ...] = ()
    replies: RepliesRule | None = None
    content: ContentRule = _PASSES_ALL
    surroundings: RuleLocale = _CHINA
    selftest: tuple[SelfTestCase, ...] = ()

    @property
    def is_open(self) -> bool:
        """Tell whether nothing in the bundle can stop a message."""
        return (
            self.content.unreadable is Action.FORWARD
            and not any(rule.can_stop for rule in self.rules)
            and all(words.action is ListAction.SHADOW for words in self.keyword_lists)
        )
