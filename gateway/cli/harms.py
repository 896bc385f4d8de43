"""What a text is about and how bad that is, for people."""

from gateway.domain.categories import category_of
from gateway.filter.model.harm import harm_of


def severity_of(category: str) -> str:
    """Return the harm (危害程度) of a category, "" of one that is not of the tree."""
    return "" if category_of(category) is None else harm_of(category)


def told_category(category: str) -> str:
    """Return a category with its severity, as ``fraud_prize (fraud)``; other words unchanged."""
    severity = severity_of(category)
    return f"{category} ({severity})" if severity else category
