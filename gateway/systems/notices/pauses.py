"""How long a webhook that failed is left alone, and when what waits for it is given up."""

from datetime import timedelta

GIVE_UP_AFTER = timedelta(hours=72)  # the time for which a notice is tried (R37)

_FIRST_S, _LONGEST_S = 1.0, 900.0
_DOUBLINGS = 10  # 1 s doubled ten times is over the longest pause
_SPREAD = 0.25

LONGEST_PAUSE = timedelta(seconds=_LONGEST_S)


def pause_after(attempts: int, jitter: float) -> timedelta:
    """Return how long to wait after so many failures in a row: 1 s, doubled, up to 15 min.

    `jitter`, from 0 to 1, takes up to a quarter off: webhooks that failed together, as with
    a network that went down, are not all tried again at once.
    """
    whole = min(_FIRST_S * 2 ** min(max(attempts, 1) - 1, _DOUBLINGS), _LONGEST_S)
    return timedelta(seconds=max(_FIRST_S, whole * (1 - _SPREAD * jitter)))
