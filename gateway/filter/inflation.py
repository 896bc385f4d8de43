"""Texts written to become many times as long when they are normalised."""

import re

# Characters that NFKC expands to three or more, up to 18: fractions, squared and bracketed words,
# Arabic ligatures. Where a whole block is listed, a few expand less. The ellipsis is not listed:
# people use it.
_SWELLING = re.compile(
    r"[\u00bc-\u00be\u0385\u0f77\u0f79\u1fc1\u1fcd-\u1fcf\u1fdd-\u1fdf\u1fed\u1fee\u2034\u2037\u2057"
    r"\u2100-\u2106\u2121\u213b\u2150-\u217b\u2189\u222d\u2230\u2474-\u24b5\u2a0c\u2a74-\u2a76"
    r"\u3200-\u3250\u32c9-\u32cf\u3300-\u33ff\ufb03\ufb04\ufb2c\ufb2d\ufc5e-\ufc63\ufcf2-\ufcf4"
    r"\ufd50-\ufdfc\ufe19\U0001d160-\U0001d164\U0001d1bd-\U0001d1c0\U0001f110-\U0001f12a\U0001f14e"
    r"\U0001f240-\U0001f248]"
)
# A text of more than _SHORT characters may hold _MAX_SWELLING of them. The 32 000 ligatures of one
# message_payload would become half a million letters, and block the event loop for half a second.
_SHORT, _MAX_SWELLING = 1_000, 256


def is_inflated(text: str) -> bool:
    """Tell whether normalisation would make `text` several times as long: honest texts do not."""
    if len(text) <= _SHORT or text.isascii():
        return False
    return len(_SWELLING.findall(text)) > _MAX_SWELLING


def deflated(text: str) -> str:
    """Return `text` without the characters that swell; part of what it says is lost."""
    return _SWELLING.sub("", text)
