"""How much harm an unwanted message does (危害程度), by its category."""

from enum import StrEnum

from gateway.domain.categories import lineage_of


class Harm(StrEnum):
    """The harm that a spam does to a reader who believes it.

    An ADVERT is unwanted; FRAUD takes money or passwords; ILLEGAL offers something that is
    forbidden for everyone. Only an ADVERT can become lawful by consent.
    """

    ADVERT = "advert"
    FRAUD = "fraud"
    ILLEGAL = "illegal"


def harm_of(category: str) -> Harm:
    """Return the harm of a category of gateway.domain.categories; an unknown one is an ADVERT."""
    lineage = set(lineage_of(category))
    if lineage & {"fraud", "phishing"}:
        return Harm.FRAUD
    return Harm.ILLEGAL if "illegal" in lineage else Harm.ADVERT
