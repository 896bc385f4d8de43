"""Subscriber numbers in one normal form: the whole E.164 number as an int."""

import re
from collections.abc import Callable, Collection
from unicodedata import normalize

# A mainland mobile number has eleven digits and starts with 1. SPs write it bare, with 86, +86 or
# 0086, and a refusal must hold for all of these forms.
_MAINLAND_DIGITS = 11
_WHOLE_DIGITS = 13
_MAINLAND_PREFIX = 86_00000_000000
_BARE_FIRST = 1_00000_00000
_BARE_LAST = 2_00000_00000
_MAX_DIGITS = 15
_MAINLAND = b"86"
# Mobile numbers have eleven digits, those of machines thirteen (both begin with 1), and fixed
# lines ten or eleven with their area code: 10 is Beijing's, the others begin with 2 to 9.
_NATIONAL = re.compile(rb"1\d{10}|1\d{12}|10\d{8}|[2-9]\d{9,10}")
# Mobile numbers are 13... to 19...; what begins with 10 and 12 are ports and services.
_FIRST_MOBILE = 86_130_0000_0000
_LAST_MOBILE = 86_199_9999_9999
# The digits of a North American number behind its 1: area code and exchange begin with 2 to 9.
_AREA_AT, _EXCHANGE_AT = 1, 4
_NORTH_AMERICAN = b"23456789"
_INTERNATIONAL = 1
# North American numbers are below this; mainland numbers with their 86 are above.
NORTH_AMERICAN_BELOW = 2_00000_00000
# A port is written with a country code as well, by SMSCs and by people.
_COUNTRY_OF_PORT = re.compile(r"^(?:\+|00)?86(?=[0-9]{3})")
# Eleven digits in groups of three or more, with up to three signs between them: shorter groups are
# those of dates and times. Every length is bounded, so a search takes linear time.
_SIGNS = r"[\W_]{0,3}"
_GROUPS = [(11,), *((first, 11 - first) for first in range(3, 9)), (3, 4, 4), (4, 3, 4), (4, 4, 3)]
_GROUPS += [(3, 3, 5), (3, 5, 3), (5, 3, 3)]
_FORMS = "|".join(
    rf"\d{{{one[0] - 2}}}" + "".join(rf"{_SIGNS}\d{{{length}}}" for length in one[1:])
    for one in _GROUPS
)
# What a mobile number looks like wherever it stands: with or without 86, in groups or not. A digest
# or an id of random digits is none.
_MOBILE_IN_TEXT = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:hmac-)?sha256:[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    rf"(?![0-9A-Za-z])|(?P<number>\+?(?<!\d)(?:(?:00)?86{_SIGNS})?0?1[3-9](?:{_FORMS})(?!\d))"
)
_SIGN = re.compile(r"\D")
# With its country code, a subscriber number has at least seven digits.
SHORTEST_NUMBER = 1_000_000


def msisdn_of(address: bytes) -> int | None:
    """Return `address` as one E.164 number, or None if it is not a subscriber number.

    A bare mainland mobile number gets its 86. Signs and an international 00 are dropped (ITU-T
    E.164: at most 15 digits); after one of them, digits in the form of a North American number are
    read as one, not as a bare mainland number. A trunk 0 after 86 is dropped, as an SMSC may do. A
    number that begins with 86 but does not have the length of a mainland number gives None, because
    only the SMSC knows where it goes.
    """
    if len(address) == _WHOLE_DIGITS and address[:3] == b"861" and address.isdigit():
        return int(address)  # as nearly all are written
    written = address.removeprefix(b"+")
    if not written.isdigit():
        return None
    digits = written.removeprefix(b"00")
    is_international = len(digits) < len(address)
    if digits.startswith(b"0"):
        # A trunk 0 before a mainland mobile number: the same subscriber, so the same refusal.
        # No country code begins with 0, so nothing else does.
        digits = digits[1:]
        is_international = False
        if not _is_bare(digits):
            return None
    if digits.startswith(_MAINLAND):
        digits = _MAINLAND + digits.removeprefix(_MAINLAND).removeprefix(b"0")
        if not _NATIONAL.fullmatch(digits, len(_MAINLAND)):
            return None
    if not digits or len(digits) > _MAX_DIGITS:
        return None
    is_mainland = _is_bare(digits) and not (is_international and _is_north_american(digits))
    return _MAINLAND_PREFIX + int(digits) if is_mainland else int(digits)


def with_plus(address: bytes, ton: int) -> bytes:
    """Return `address` with the plus that its type of number implies, if that tells more.

    International (SMPP 3.4, 5.2.5) implies the plus: bare digits in the form of a North American
    number are then one, unless they are also a mainland mobile number. For those the type proves
    nothing, because many senders set it for every number. All other types add nothing to the
    digits.
    """
    is_abroad = _may_be_abroad(address, ton) and not is_mobile(address)
    return b"+" + address if is_abroad else address


def msisdn_from(address: bytes, ton: int) -> int | None:
    """Return the number that an address names together with its type of number."""
    return msisdn_of(with_plus(address, ton))


def other_msisdn_from(address: bytes, ton: int) -> int | None:
    """Return the other number, besides `msisdn_from`, that may have written; None without one.

    A North American number is read as a mainland one if its plus is missing, and the digits of a
    mainland mobile number may be North American if the type says so.
    """
    number = msisdn_from(address, ton)
    if _may_be_abroad(address, ton) and number != int(address):
        return int(address)
    return None if number is None else misread_as(number)


def misread_as(number: int) -> int | None:
    """Return the mainland number that a North American `number` is read as without its plus."""
    if number >= NORTH_AMERICAN_BELOW:
        return None
    digits = str(number).encode()
    is_such = _is_bare(digits) and _is_north_american(digits)
    return _MAINLAND_PREFIX + number if is_such else None


def written_alike(number: int) -> tuple[int, ...]:
    """Return `number`, and the other number with the same digits if the plus is left out."""
    other, bare = misread_as(number), number - _MAINLAND_PREFIX
    if other is None and misread_as(bare) == number:
        other = bare
    return (number,) if other is None else (number, other)


def readings_of(numbers: Collection[int]) -> list[int]:
    """Return `numbers` and the numbers they may be read as, each once: a refusal concerns all.

    The way an SP writes a number must not bypass a refusal.
    """
    others = [other for one in numbers if (other := misread_as(one)) is not None]
    return list(dict.fromkeys((*numbers, *others)))


def spelled(number: int) -> str:
    """Return `number` as `msisdn_of` reads it again: with a plus if its digits alone mislead."""
    digits = str(number)
    return digits if msisdn_of(digits.encode()) == number else f"+{digits}"


def spellings_of(number: int) -> tuple[str, ...]:
    """Return every address that `msisdn_of` reads as `number`; empty for an invalid number."""
    whole = str(number)
    written = [whole]
    if _MAINLAND_PREFIX + _BARE_FIRST <= number < _MAINLAND_PREFIX + _BARE_LAST:
        bare = whole.removeprefix("86")
        written += [bare, f"0{bare}"]
    if whole.startswith("86"):
        written.append(f"860{whole[2:]}")
    found = (f"{sign}{one}" for one in written for sign in ("", "00", "+", "+00"))
    return tuple(one for one in found if msisdn_of(one.encode()) == number)


def _is_bare(digits: bytes) -> bool:
    return len(digits) == _MAINLAND_DIGITS and digits.startswith(b"1")


def _may_be_abroad(address: bytes, ton: int) -> bool:
    """Tell whether bare digits have the form and the type of a North American number."""
    is_bare = ton == _INTERNATIONAL and address.isdigit() and _is_bare(address)
    return is_bare and _is_north_american(address)


def _is_north_american(digits: bytes) -> bool:
    return digits[_AREA_AT] in _NORTH_AMERICAN and digits[_EXCHANGE_AT] in _NORTH_AMERICAN


def without_country(sender: str) -> str:
    """Return a sender without the country code 86 that may stand before a mainland port."""
    return _COUNTRY_OF_PORT.sub("", sender)


def is_mobile(address: bytes) -> bool:
    """Tell whether `address` is a mainland mobile number: a person's number and not a port."""
    number = msisdn_of(address)
    return number is not None and _FIRST_MOBILE <= number <= _LAST_MOBILE


def masked(number: int | str) -> str:
    """Return `number` masked for logs and screens: 138****8000."""
    digits = str(number)
    if len(digits) == 13 and digits.startswith("861"):
        digits = digits[2:]
    if len(digits) < 8:
        return "*" * len(digits)
    if len(digits) < 10:
        return "*" * (len(digits) - 2) + digits[-2:]
    return f"{digits[:3]}****{digits[-4:]}"


def has_mobile(text: str) -> bool:
    """Tell whether a mainland mobile number is written out in a text, in any groups."""
    found = _MOBILE_IN_TEXT.finditer(normalize("NFKC", text))
    return any(one["number"] for one in found)


def replace_mobiles(text: str, shown: Callable[[str], str]) -> str:
    """Return `text` with each mobile number that is written out as `shown` gives it.

    A text with one has its other characters in their usual width, too.
    """
    if not has_mobile(text):
        return text
    return _MOBILE_IN_TEXT.sub(
        lambda found: shown(found["number"]) if found["number"] else found[0],
        normalize("NFKC", text),
    )


def masked_mobiles(text: str) -> str:
    """Return `text` with each mobile number that is written out masked (138****8000)."""
    return replace_mobiles(text, lambda number: masked(_SIGN.sub("", number)[-_MAINLAND_DIGITS:]))
