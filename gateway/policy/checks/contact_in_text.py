"""Contacts in a text (R61)."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import MinLen

from gateway.domain.verdict import Action, Basis, ReasonCode, TextMark
from gateway.filter.contacts import ContactKind
from gateway.filter.facts import TextSign
from gateway.policy.check import ENDLESS, CheckQuestion, Evidence, TextCheck
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_NAMES = {
    ContactKind.QQ: "QQ",
    ContactKind.WECHAT: "微信",
    ContactKind.MESSENGER: "即时通讯账号",
    ContactKind.MOBILE: "手机号码",
    ContactKind.LANDLINE: "固定电话",
    ContactKind.TOLL_FREE: "400/800 电话",
    ContactKind.SERVICE_LINE: "客服热线",
    ContactKind.EMAIL: "电子邮箱",
}


@dataclass(frozen=True, slots=True)
class ContactInText(TextCheck):
    """The text gives a contact of one of `kinds` (R61)."""

    reason = ReasonCode("CONTACT_GIVEN", Basis.CONTENT, cmpp="0x442", mark=TextMark.CONTACTS)
    order = 170
    formerly = "contact_given"
    allowed_actions = (Action.QUARANTINE, Action.REJECT)
    help = {"kinds": "Which contacts count."}

    kinds: Annotated[frozenset[ContactKind], MinLen(1)]

    def needs_text(self) -> TextSign:
        """Return with which signs a text must be asked about itself."""
        return TextSign.CONTACT | TextSign.ENDLESS

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        kinds = self.kinds
        plain = {kind: _evidence(kind) for kind in kinds}
        disguised = {kind: _evidence(kind, ", in disguise", "（变形书写）") for kind in kinds}

        def ask(submission: Submission, _at: float) -> Evidence | None:
            facts = submission.facts
            if facts is None:
                return None
            if facts.is_endless:
                return ENDLESS
            given = [one for one in facts.contacts() if one.kind in kinds]
            if not given:
                return None
            # A disguised contact is the strongest evidence.
            first = next((one for one in given if one.is_disguised), given[0])
            evidence = (disguised if first.is_disguised else plain)[first.kind]
            if not facts.is_told:
                return evidence
            told = ", ".join(f"{one.masked} ({one.start + 1}-{one.end})" for one in given)
            return evidence.with_details(f"; {told}")

        return CheckQuestion(ask)


def _evidence(kind: ContactKind, disguise: str = "", disguise_zh: str = "") -> Evidence:
    zh = f"引导联系：{_NAMES[kind]}{disguise_zh}"
    return Evidence(f"asks to come to: {kind}{disguise}", zh=zh)
