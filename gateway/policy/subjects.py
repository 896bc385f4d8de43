"""What a message is about, decided by all its findings together."""

from collections.abc import Iterable, Iterator

from gateway.domain.categories import category_of, lineage_of
from gateway.domain.verdict import Verdict
from gateway.filter.model.harm import Harm, harm_of

# Fraud, which readers may believe, comes before what is illegal to offer, and that before unwanted
# advertising.
_GRAVEST_FIRST = (Harm.FRAUD, Harm.ILLEGAL, Harm.ADVERT)


def subject_of(verdict: Verdict) -> str:
    """Return the category of a message; "" if no finding has one.

    It is the category of the gravest harm among keywords, classifier and links, also in shadow. If
    several have that harm, it is the one that decided, or one below it in the tree: a keyword of
    fraud and a classifier that says fraud_prize give fraud_prize. A word outside the tree (an
    operator's own word for a list) counts only if there is nothing else.
    """
    deciding = verdict.deciding
    first = deciding.category if deciding is not None else ""
    said = [one for one in (first, *(one.category for one in verdict.findings)) if one]
    known = [one.id for one in map(category_of, said) if one is not None]
    if not known:
        return next(iter(said), "")
    harms = {one: harm_of(one) for one in known}
    worst = next(harm for harm in _GRAVEST_FIRST if harm in harms.values())
    return _most_exact(one for one in known if harms[one] is worst)


def campaign_of(verdict: Verdict) -> str:
    """Return the id of the campaign of a message; "" if no rule found one."""
    return next((one.campaign for one in verdict.findings if one.campaign), "")


def _most_exact(categories: Iterable[str]) -> str:
    """Return the first of `categories`, or one of the others that lies below it."""

    def narrowing() -> Iterator[str]:
        chosen = ""
        for one in categories:
            if not chosen or chosen in lineage_of(one):
                chosen = one
                yield chosen

    *_, last = narrowing()
    return last
