"""How often Python's garbage collector stops everything to look everything over."""

import gc

# So many collections of what is young for one of everything; Python's own is 10.
_YOUNG_PER_FULL = 100


def set_aside() -> None:
    """Keep what is loaded by now, and stays, out of every later collection; make full ones rare.

    The remembered texts are a quarter of a million objects: all messages wait 30 ms while they
    are looked over, and 12 000 new texts were enough to bring that about. What refers to itself
    and outlives the young collections, as a closed connection may, waits for a full one.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _YOUNG_PER_FULL)
