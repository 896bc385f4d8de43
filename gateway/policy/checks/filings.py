"""What senders have filed: ports, provinces, signatures, templates (R04, R06, R11, R12).

While the store cannot be read, the last known filings still hold: filings change from day to day,
and no message must fail because of that.
"""

from collections.abc import Callable

from gateway.policy.evidence import Ask, Evidence
from gateway.policy.filings import SenderFilings
from gateway.policy.knowledge import Knowledge
from gateway.policy.places import place_of
from gateway.policy.rules import (
    OtherProvince,
    SignatureNotFiled,
    SignatureSwitched,
    TemplateNotFiled,
)
from gateway.policy.submission import Submission
from gateway.policy.templates import TemplateMatch

# 8192 texts of 600 characters are 10 MB at most; longer ones are looked up each time.
_MAX_CACHED_TEXTS = 8192
_CACHED_CHARS = 600

_OTHER_PROVINCE = Evidence("a provincial port, and a subscriber of another province")
_BOUND = Evidence("the source is bound to another signature")
_UNSIGNED = Evidence("the text bears no signature")
_UNKNOWN = Evidence("the signature was not filed")
_NO_TEMPLATE = Evidence("the text is of no template on file")


def other_province(_check: OtherProvince, knowledge: Knowledge) -> Ask:
    """Ask whether a provincial port writes to a subscriber of another province (R04).

    A number without a known province does not count as one of another province.
    """
    filings = knowledge.filings

    def ask(submission: Submission, _at: float) -> Evidence | None:
        port, number = submission.port, submission.msisdn
        if port is None or number is None:
            return None
        scope = filings.of(submission.account.system_id).province_of(port.number)
        if scope is None:
            return None
        province = place_of(number, knowledge.provinces).province
        return _OTHER_PROVINCE if province and province != scope else None

    return ask


def signature_switched(_check: SignatureSwitched, knowledge: Knowledge) -> Ask:
    """Ask whether the text bears another signature than its source is bound to (R06)."""
    filings = knowledge.filings

    def ask(submission: Submission, _at: float) -> Evidence | None:
        facts = submission.facts
        if facts is None:
            return None
        filed = filings.of(submission.account.system_id)
        if not filed.has_bindings:
            return None
        name = facts.shown().signature
        source = submission.source.decode("latin-1")
        return _BOUND if name and filed.is_bound_elsewhere(name, source) else None

    return ask


def signature_not_filed(_check: SignatureNotFiled, knowledge: Knowledge) -> Ask:
    """Ask whether the text has no signature, or one that the sender has not filed (R12)."""
    filings = knowledge.filings

    def ask(submission: Submission, _at: float) -> Evidence | None:
        facts = submission.facts
        if facts is None:
            return None
        name = facts.shown().signature
        if not name:
            return _UNSIGNED if facts.is_whole else None
        is_filed = filings.of(submission.account.system_id).has_signature(name)
        return None if is_filed else _UNKNOWN

    return ask


def template_not_filed(_check: TemplateNotFiled) -> Ask:
    """Ask whether the text matches none of the sender's templates (R12).

    `FiledTemplates` has looked up the template before.
    """

    def ask(submission: Submission, _at: float) -> Evidence | None:
        facts = submission.facts
        if facts is None or not facts.is_whole or submission.template:
            return None
        return _NO_TEMPLATE

    return ask


class FiledTemplates:
    """Looks up the filed template of a message, once for each text of a sender."""

    __slots__ = ("_filings", "_found")

    def __init__(self, knowledge: Knowledge) -> None:
        self._filings = knowledge.filings
        # Each change of filings makes a new `SenderFilings`, so an old result is never found.
        self._found: dict[tuple[SenderFilings, str], TemplateMatch | None] = {}

    def forget(self) -> None:
        """Forget the results for what is not on file any more."""
        self._found.clear()

    def of(self, submission: Submission) -> TemplateMatch | None:
        """Return the template of the reading that people see; note its id in the submission."""
        submission.template = ""
        facts = submission.facts
        if facts is None or not facts.texts:
            return None
        filed = self._filings.of(submission.account.system_id)
        if not filed.has_templates:
            return None
        found = self._look_up(filed, facts.texts[0])
        if found is not None:
            submission.template = found.id
        return found

    def _look_up(self, filed: SenderFilings, text: str) -> TemplateMatch | None:
        key = (filed, text)
        try:
            return self._found[key]
        except KeyError:
            found = filed.template_of(text)
        if len(text) <= _CACHED_CHARS:
            if len(self._found) >= _MAX_CACHED_TEXTS:
                self._found.clear()
            self._found[key] = found
        return found


def is_approved(knowledge: Knowledge) -> Callable[[Submission, float], bool]:
    """Return a function that tells whether an authority has approved the sending port (R11)."""
    filings = knowledge.filings

    def ask(submission: Submission, at: float) -> bool:
        port = submission.port
        filed = filings.of(submission.account.system_id)
        return port is not None and filed.approval_valid(port.number, at)

    return ask
