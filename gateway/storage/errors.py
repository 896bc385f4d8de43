"""What a store may raise."""


class StoreUnavailable(Exception):  # noqa: N818 - the house name: a state, not a fault of the caller
    """The store cannot do this now: full, locked, gone, or too slow.

    Unless a call's contract says otherwise nothing was changed, and the call may be made
    again later.
    """
