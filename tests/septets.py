"""Septets packed into octets, as a handset or an SMSC packs them (3GPP TS 23.038, 6.1.2)."""


def pack(septets: bytes) -> bytes:
    """Return `septets`, one an octet, packed eight into seven octets."""
    number = sum((septet & 0x7F) << 7 * at for at, septet in enumerate(septets))
    return number.to_bytes(-(-7 * len(septets) // 8), "little")
