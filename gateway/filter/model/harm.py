"""How bad an unwanted message is (危害程度), by what it is about."""

from enum import StrEnum

from gateway.domain.categories import lineage_of


class Harm(StrEnum):
    """What a spam does to who believes it.

    An ADVERT is unasked for; FRAUD takes money or passwords; what is ILLEGAL offers what nobody
    may offer. Only the first may be put right by consent.
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
