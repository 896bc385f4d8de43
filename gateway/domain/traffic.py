"""The class of a message (短信类别): what it is sent for."""

from enum import StrEnum


class TrafficClass(StrEnum):
    """What a message is sent for (O31, definitions).

    COMMERCIAL promotes goods, services or investment, wholly or among other things. PUBLIC_INTEREST
    depends on the sender, never on the text (R11).
    """

    VERIFICATION = "verification"
    SERVICE = "service"
    COMMERCIAL = "commercial"
    PUBLIC_INTEREST = "public_interest"

    # The hash of enum is Python code: 0.1 us for each look-up by class, and a message needs
    # several.
    __hash__ = str.__hash__
