"""The guards against a list that was cut short by accident."""

from collections.abc import Collection

from gateway.domain.policy import Bundle

# A handful of SPs may well lose most of them on purpose.
_FEW_SENDERS = 4


def shrunk(old: Bundle, new: Bundle, share: float = 0.5) -> str | None:
    """Say which keyword lists lost more than `share` of their words, or return None.

    A half-written export or a wrong path empties a list as silently as a decision does, so
    a reload asks for the operator's word first. A list that is gone lost all its words.
    """
    kept = {words.id: frozenset(words.words) for words in new.keyword_lists}
    losses = []
    for before in old.keyword_lists:
        lost = len(frozenset(before.words) - kept.get(before.id, frozenset()))
        if lost > share * len(before.words):
            losses.append(f"{before.id} lost {lost} of {len(before.words)} words")
    return "; ".join(losses) or None


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
