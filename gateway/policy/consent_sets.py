"""Every subscriber's answers as compact sets: what the data path asks per message."""

from collections.abc import Iterable

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.policy.number_set import NumberSet


class ConsentSets:
    """Who refused and who agreed, one set of numbers per scope.

    Scopes without an answer have no set. A number stands in at most one of the two sets of
    a scope: the last answer applied holds. `is_current` is cleared by whoever follows the
    store while it cannot be read: an answer given since may be missing here.
    """

    __slots__ = ("agreed", "is_current", "refused")

    def __init__(self) -> None:
        self.is_current = True
        self.refused: dict[str, NumberSet] = {}
        self.agreed: dict[str, NumberSet] = {}

    def apply(self, msisdn: int, scope: str, answer: Answer) -> None:
        """Take over one answer; safe to repeat."""
        self.load(scope, answer, (msisdn,))

    def load(self, scope: str, answer: Answer, msisdns: Iterable[int]) -> None:
        """Take over the same answer of many numbers at once; safe to repeat."""
        numbers = list(msisdns)
        given, other = self.refused, self.agreed
        if answer is Answer.AGREED:
            given, other = other, given
        if scope in other:
            other[scope].difference_update(numbers)
        if scope not in given:
            given[scope] = NumberSet()
        given[scope].update(numbers)

    def replace(self, fresh: "ConsentSets") -> None:
        """Take the whole of `fresh`, which must not be used any more, in place of this."""
        self.refused, self.agreed = fresh.refused, fresh.agreed

    def is_refused(self, scope: str, msisdn: int) -> bool:
        """Tell whether the number refused `scope`, or every sender."""
        own, everyone = self.refused.get(scope), self.refused.get(EVERY_SENDER)
        return (own is not None and msisdn in own) or (everyone is not None and msisdn in everyone)

    def has_agreed(self, scope: str, msisdn: int) -> bool:
        """Tell whether the number agreed to `scope` itself.

        An agreement given to every sender lifts a refusal of every sender; it is nobody's
        consent, for silence about an SP is not consent to it (DEC2012 art. 7).
        """
        own = self.agreed.get(scope)
        return own is not None and msisdn in own
