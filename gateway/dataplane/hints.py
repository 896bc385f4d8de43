"""The words that senders told subscribers to reply to opt out: a bare R means nothing else."""

_MAX_PER_SENDER = 32


class Hints:
    """The opt-out tokens that each sender has advertised since the process started.

    Kept by sender, not by subscriber: if an SP tells people to reply R, a reply of R is an
    opt-out, no matter which of its texts the subscriber read (O31: no obstacle in any form).
    Bounded: the oldest go first. A text is searched when it is judged for the first time.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, dict[str, None]] = {}

    def note(self, system_id: str, token: str) -> None:
        """Remember that a sender advertised `token`."""
        tokens = self._tokens.setdefault(system_id, {})
        tokens.pop(token, None)
        if len(tokens) >= _MAX_PER_SENDER:
            del tokens[next(iter(tokens))]
        tokens[token] = None

    def of(self, system_id: str) -> tuple[str, ...]:
        """Return what a sender advertised, the latest first."""
        return tuple(reversed(self._tokens.get(system_id, {})))
