"""The guards against a policy that was cut short by accident."""

from collections.abc import Collection, Iterator, Sequence
from operator import eq

from gateway.domain.policy import Enforcement
from gateway.policy.bundle import Bundle

# A handful of SPs may well lose most of them on purpose.
_FEW_SENDERS = 4
_AT_ONCE = 1_000


def shrunk(old: Bundle, new: Bundle, share: float = 0.5) -> str | None:
    """Say what `new` lost of `old` that an accident may have taken, or return None.

    That is more than `share` of the words of a list, more than `share` of the rules, and each
    rule that is enforced no more. A half-written export or a wrong path empties a list as
    silently as a decision does, so a reload asks for the operator's word first. A list that
    is gone lost all its words.
    """
    losses = [*_lost_words(old, new, share), *_lost_rules(old, new, share), *_fallen(old, new)]
    return "; ".join(losses) or None


def _lost_words(old: Bundle, new: Bundle, share: float) -> Iterator[str]:
    kept = {words.id: words.words for words in new.keyword_lists}
    for before in old.keyword_lists:
        after = kept.get(before.id, ())
        pairs = zip(_some_of(before.words), _some_of(after), strict=False)
        # Most words stay where they are, which is seen in a third of the time.
        moved = len(before.words) - sum(sum(map(eq, *pair)) for pair in pairs)
        if moved <= share * len(before.words):
            continue
        left: set[str] = set()
        for some in _some_of(after):
            left.update(some)
        lost = sum(len(some) - len(left.intersection(some)) for some in _some_of(before.words))
        if lost > share * len(before.words):
            yield f"{before.id} lost {lost} of {len(before.words)} words"


def _some_of(words: Sequence[str]) -> Iterator[Sequence[str]]:
    # Looked up in one call, 100 000 would keep other threads waiting.
    return (words[at : at + _AT_ONCE] for at in range(0, len(words), _AT_ONCE))


def _lost_rules(old: Bundle, new: Bundle, share: float) -> Iterator[str]:
    lost = {rule.id for rule in old.rules} - {rule.id for rule in new.rules}
    if lost and len(lost) > share * len(old.rules):
        yield f"{len(lost)} of {len(old.rules)} rules are gone"


def _fallen(old: Bundle, new: Bundle) -> Iterator[str]:
    """Tell the rules that stopped messages by themselves and do so no more."""
    modes = {rule.id: rule.mode for rule in new.rules}
    for rule in old.rules:
        if rule.mode is Enforcement.ENFORCE and rule.can_stop:
            mode = modes.get(rule.id)
            if mode is None:
                yield f"{rule.id} was enforced and is gone"
            elif mode is not Enforcement.ENFORCE:
                yield f"{rule.id} was enforced and is {mode}"


def missing_senders(
    before: Collection[str], after: Collection[str], share: float = 0.5
) -> str | None:
    """Say that more than `share` of the SPs are gone, or return None.

    Their sessions would be dismissed: half a senders.yaml must not do that to a carrier.
    """
    lost = len(set(before) - set(after))
    if len(before) < _FEW_SENDERS or lost <= share * len(before):
        return None
    return f"senders.yaml lost {lost} of {len(before)} senders"
