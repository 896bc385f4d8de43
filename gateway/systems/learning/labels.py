"""The kinds of spam that collections name, as categories of our own tree."""

from gateway.domain.categories import category_of

# Of the collection of texts from fake base stations (Lies in the Air, ACM CCS 2020).
_KNOWN_KINDS = {
    "ad:loan": "loan",
    "ad:networkservice": "telecom",
    "ad:other": "commercial",
    "ad:realestate": "real_estate",
    "ad:retail": "retail",
    "fr:financial": "fraud_finance",
    "fr:other": "fraud",
    "fr:phishing(bank)": "phishing",
    "fr:phishing(other)": "phishing",
    "il:escortservice": "pornography",
    "il:fakeidandinvoice": "forged_documents",
    "il:gambling": "gambling",
    "il:politicalpropaganda": "rumour",
}


def category_in(source: str) -> str:
    """Return the category that stands behind the slash of `source`, "" for none known.

    It may be an id, a name or an alias of gateway.domain.categories.
    """
    kind = source.partition("/")[2]
    known = _KNOWN_KINDS.get(kind.replace("_", "").replace(" ", "").lower())
    if known is not None:
        return known
    category = category_of(kind) if kind else None
    return category.id if category else ""
