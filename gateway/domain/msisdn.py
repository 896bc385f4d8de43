"""Subscriber numbers in one normal form: the whole E.164 number as an int."""

# A mainland mobile number is eleven digits starting with 1; SPs write it bare, with 86,
# +86 or 0086, and a refusal must hold for all of them.
_MAINLAND_DIGITS = 11
_MAINLAND_PREFIX = 86_00000_000000
_BARE_FIRST = 1_00000_00000
_BARE_LAST = 2_00000_00000
_MAX_DIGITS = 15


def msisdn_of(address: bytes) -> int | None:
    """Return `address` as one E.164 number, or None when it is no subscriber number.

    A bare mainland mobile number gets its 86. Signs and an international 00 are dropped
    (ITU-T E.164: at most 15 digits).
    """
    digits = address.removeprefix(b"+")
    if not digits.isdigit():
        return None
    digits = digits.removeprefix(b"00")
    if digits.startswith(b"0"):
        # A trunk 0 before a mainland mobile number: the same subscriber, so the same refusal.
        # No country code begins with 0, so nothing else does.
        digits = digits[1:]
        if len(digits) != _MAINLAND_DIGITS or not digits.startswith(b"1"):
            return None
    if not digits or len(digits) > _MAX_DIGITS:
        return None
    number = int(digits)
    if _BARE_FIRST <= number < _BARE_LAST and len(digits) == _MAINLAND_DIGITS:
        return _MAINLAND_PREFIX + number
    return number


def masked(number: int | str) -> str:
    """Return `number` fit for logs and screens: 138****8000."""
    digits = str(number)
    if len(digits) == 13 and digits.startswith("861"):
        digits = digits[2:]
    if len(digits) < 8:
        return "*" * len(digits)
    if len(digits) < 10:
        return "*" * (len(digits) - 2) + digits[-2:]
    return f"{digits[:3]}****{digits[-4:]}"
