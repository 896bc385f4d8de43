"""The guard against a keyword list that was cut short by accident."""

from gateway.domain.policy import Bundle


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
