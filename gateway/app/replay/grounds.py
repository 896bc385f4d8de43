"""What the reasons in records rest on: the moment, the text, or the addresses."""

from gateway.domain.verdict import Reason

# Why a message was stopped (or noted) that no rule can be asked about again: it was how the
# gateway or its store stood at that moment, or what no record holds.
OF_THE_MOMENT = frozenset(
    {
        Reason.MALFORMED,
        Reason.OVERLOADED,
        Reason.RATE,
        Reason.LIST_DESTINATION,
        Reason.PARTS_AWAITED,
        Reason.PARTS_CONFLICT,
        Reason.PARTS_FORGOTTEN,
        Reason.CONTENT_UNCHECKED,
        Reason.CONSENT_ASKED,
        Reason.CONSENT_UNCHECKED,
        Reason.CONSENT_UNKNOWN,
        Reason.FREQUENCY_UNCOUNTED,
        Reason.SOURCE_SUSPENDED,
        Reason.NUMBERS_UNKNOWN,  # by what the SMSC had answered until then
    }
)
OF_THE_TEXT = frozenset(
    {
        Reason.BAD_LINK,
        Reason.CAMPAIGN,
        Reason.CONTACT_GIVEN,
        Reason.CONTENT,
        Reason.CONTENT_UNREADABLE,
        Reason.IMPOSTOR,
        Reason.NO_OPTOUT_HINT,
        Reason.NO_SENDER_NAME,
        Reason.NO_SENDER_PHONE,
        Reason.PORT_MISUSE,
        Reason.SIG_SWITCH,
        Reason.SIG_UNKNOWN,
        Reason.SUSPICIOUS,
        Reason.TPL_MISMATCH,
        Reason.USER_PREF,  # a word of it, or what it is about
    }
)
OF_ADDRESSES = frozenset(
    {
        Reason.SENDER_STATE,
        Reason.SOURCE_NOT_OWNED,
        Reason.EXT_TOO_LONG,
        Reason.DESTINATION_INVALID,
    }
)
