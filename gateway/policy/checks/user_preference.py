"""What subscribers want to receive (R50)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.msisdn import NORTH_AMERICAN_BELOW
from gateway.domain.preferences import PreferenceAction, PreferenceKind
from gateway.domain.verdict import Action, Reason
from gateway.policy.check import Ask, CheckQuestion, Evidence, RecipientCheck, Sieve
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.places import Zones
from gateway.policy.submission import Submission

# Others must not learn the number or the word that a subscriber names.
_SAID = {
    PreferenceKind.NUMBER: ("the sender's number", "发送号码"),
    PreferenceKind.KEYWORD: ("a word of the text", "短信中的词语"),
    PreferenceKind.CATEGORY: ("what the text is about", "此类内容"),
    PreferenceKind.CLASS: ("all messages of this class", "此类短信"),
    PreferenceKind.QUIET_HOURS: ("messages at this hour", "此时段的短信"),
}
_ACTIONS = {PreferenceAction.BLOCK: None, PreferenceAction.HOLD: Action.QUARANTINE}
_VERBS = {
    PreferenceAction.BLOCK: ("blocks", "屏蔽了"),
    PreferenceAction.HOLD: ("holds", "要求拦截"),
}
_FOUND: Mapping[tuple[PreferenceKind, PreferenceAction], Evidence] = {
    (kind, action): Evidence(
        f"the subscriber {_VERBS[action][0]} {said}",
        action=_ACTIONS[action],
        zh=f"用户{_VERBS[action][1]}{zh}",
    )
    for kind, (said, zh) in _SAID.items()
    for action in _ACTIONS
}


@dataclass(frozen=True, slots=True)
class UserPreference(RecipientCheck):
    """The subscriber's own preferences are against the message (R50)."""

    reason = Reason.USER_PREF
    order = 60
    formerly = "unwanted"

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        return CheckQuestion(_unwanted(knowledge, locale), _perhaps_unwanted(knowledge))


def _unwanted(knowledge: Knowledge, locale: RuleLocale) -> Ask:
    """Ask whether the subscriber's own preferences are against the message.

    A scheduled message is judged for its scheduled hour. A number that the subscriber allows is
    exempt from the other preferences only: a preference cannot switch off a refusal or the content
    filter for a sender. A subscriber may ask for one held message in spite of all preferences.
    """
    preferences, zones = knowledge.preferences, Zones(locale.zone)

    def ask(submission: Submission, at: float) -> Evidence | None:
        number, facts = submission.msisdn, submission.facts
        if number is None or submission.is_wanted or not preferences.readings_of(number):
            return None
        arrives = at
        if submission.timing is not None and submission.timing.scheduled_at is not None:
            arrives = max(at, submission.timing.scheduled_at)
        decides = preferences.judge(
            number,
            submission.source.decode("latin-1"),
            submission.traffic,
            [hit.category for hit in facts.hits] if facts is not None else (),
            "\n".join(facts.texts) if facts is not None else "",
            lambda one: datetime.fromtimestamp(arrives, zones.zone_of(one)),
        )
        return None if decides is None else _FOUND.get((decides.kind, decides.action))

    return ask


def _perhaps_unwanted(knowledge: Knowledge) -> Sieve:
    """Pass messages to subscribers who have preferences, or who may be read as one who has."""
    preferences = knowledge.preferences

    def sieve(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
        packed, misread = preferences.packed, preferences.misread
        if not packed:
            return ()
        return [
            one
            for one in submissions
            if (number := one.msisdn) in packed
            or number in misread
            or (number or NORTH_AMERICAN_BELOW) < NORTH_AMERICAN_BELOW
        ]

    return sieve
