"""Texts that are written to become many times as long when they are normalised."""

import re

# What NFKC writes out as three characters and more, up to 18: fractions, squared and bracketed
# words, Arabic ligatures. Of whole blocks a few less. The ellipsis is none: people write it.
_SWELLING = re.compile(
    r"[\u00bc-\u00be\u0385\u0f77\u0f79\u1fc1\u1fcd-\u1fcf\u1fdd-\u1fdf\u1fed\u1fee\u2034\u2037\u2057"
    r"\u2100-\u2106\u2121\u213b\u2150-\u217b\u2189\u222d\u2230\u2474-\u24b5\u2a0c\u2a74-\u2a76"
    r"\u3200-\u3250\u32c9-\u32cf\u3300-\u33ff\ufb03\ufb04\ufb2c\ufb2d\ufc5e-\ufc63\ufcf2-\ufcf4"
    r"\ufd50-\ufdfc\ufe19\U0001d160-\U0001d164\U0001d1bd-\U0001d1c0\U0001f110-\U0001f12a\U0001f14e"
    r"\U0001f240-\U0001f248]"
)
# A text of more than so many characters may hold so many of them. The 32 000 ligatures of one
# message_payload would be half a million letters, and stop the loop for half a second.
_SHORT, _MAX_SWELLING = 1_000, 256


def is_inflated(text: str) -> bool:
    """Tell whether `text` would become several times as long: nobody writes so to be read."""
    if len(text) <= _SHORT or text.isascii():
        return False
    return len(_SWELLING.findall(text)) > _MAX_SWELLING


def deflated(text: str) -> str:
    """Return `text` without what swells; what it says is not known in full then."""
    return _SWELLING.sub("", text)
