"""Whether a personal number sends bulk messages over its caps: its texts are checked (R43)."""

from collections import deque

from gateway.domain.verdict import Reason
from gateway.filter.campaigns import CampaignLimits
from gateway.filter.fingerprints import Fingerprint, fingerprint_of
from gateway.filter.views import Views
from gateway.policy.submission import Submission

# Findings of rules against a text itself, also in shadow mode. A text that sells counts too,
# because personal numbers are not ports of advertisers.
_AGAINST_TEXTS = frozenset(
    {
        Reason.PORT_MISUSE,
        Reason.BAD_LINK,
        Reason.IMPOSTOR,
        Reason.CONTACT_GIVEN,
        Reason.SUSPICIOUS,
        Reason.CAMPAIGN,
        Reason.CONTENT,
    }
)
_AGREEING = CampaignLimits().agreeing
# With 20 people for each text these take 6 MB.
_MAX_NUMBERS, _MAX_TEXTS = 1024, 2


class _BulkText:
    """A text, and the people who got it or a similar one."""

    __slots__ = ("fingerprint", "people")

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.fingerprint = fingerprint
        self.people: set[int] = set()


class BulkTexts:
    """Checks each text over the caps. Keeps the last few texts of a bounded number of sources."""

    __slots__ = ("_people", "_sent")

    def __init__(self, people: int) -> None:
        """Take how many people must get one text, or a similar one, before that is against it."""
        self._people = people
        self._sent: dict[int, deque[_BulkText]] = {}

    def against(self, msisdn: int, submission: Submission) -> str:
        """Return what is against the text of a message over the cap, "" for nothing."""
        found = next((f for f in submission.findings if f.reason in _AGAINST_TEXTS), None)
        if found is not None:
            return f"{found.reason} by {found.rule}"
        facts, person = submission.facts, submission.msisdn
        if facts is None or person is None or not any(facts.texts):
            return ""
        fingerprint = facts.fingerprint
        if not isinstance(fingerprint, Fingerprint):
            fingerprint = facts.fingerprint = fingerprint_of(Views(facts.texts[0]).sound)
        people = self._text_of(msisdn, fingerprint).people
        people.add(person)
        if len(people) < self._people:
            return ""
        del self._sent[msisdn]
        return f"one text to {self._people} people"

    def _text_of(self, msisdn: int, fingerprint: Fingerprint) -> _BulkText:
        texts = self._sent.get(msisdn)
        if texts is None:
            if len(self._sent) >= _MAX_NUMBERS:
                del self._sent[next(iter(self._sent))]  # the one that came first
            texts = self._sent[msisdn] = deque(maxlen=_MAX_TEXTS)
        known = next((one for one in texts if _are_alike(one.fingerprint, fingerprint)), None)
        if known is None:
            known = _BulkText(fingerprint)
            texts.append(known)
        return known


def _are_alike(one: Fingerprint, other: Fingerprint) -> bool:
    if one.skeleton == other.skeleton or one.signs is None or other.signs is None:
        return one.skeleton == other.skeleton
    return int((one.signs == other.signs).sum()) >= _AGREEING
