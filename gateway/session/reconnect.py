"""How long to wait before the gateway connects to the SMSC again."""

FIRST_DELAY_S = 0.1
_MOST_DOUBLINGS = 64


def reconnect_delay_s(attempt: int, maximum_s: float, fraction: float) -> float:
    """Return the wait before `attempt` (0 is the first), doubling from 0.1 s up to `maximum_s`.

    `fraction`, random in [0, 1), shortens the wait by up to half, also at the maximum: hundreds of
    links that were lost together must not come back together.
    """
    doublings = min(attempt, _MOST_DOUBLINGS)
    longest_s = min(maximum_s, FIRST_DELAY_S * 2.0**doublings)
    return longest_s * (1 - fraction / 2)
