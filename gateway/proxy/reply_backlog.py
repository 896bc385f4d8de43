"""What subscribers wrote and the store has not settled: under way now, or to be kept later."""

from collections import Counter, deque

from gateway.proxy.mo_receiver import MoMessage

_MAX_AT_ONCE = 1_000
_MAX_UNKEPT = 100_000
# Of one number; the rest of them would make others wait.
_MAX_EACH = 8


class ReplyBacklog:
    """Bounds what waits, and what waits of one number.

    Nothing that was taken is dropped: where no more can be taken, the SMSC is to keep it.
    """

    def __init__(self) -> None:
        self._unkept: deque[MoMessage] = deque()
        self._waiting: Counter[int] = Counter()
        self._under_way = 0

    @property
    def is_busy(self) -> bool:
        """Tell whether as much is under way as may be."""
        return self._under_way >= _MAX_AT_ONCE

    @property
    def next_unkept(self) -> MoMessage | None:
        """Return what has waited longest to be kept."""
        return self._unkept[0] if self._unkept else None

    def has_room(self, msisdn: int) -> bool:
        """Tell whether one more message of a number may wait."""
        return len(self._unkept) < _MAX_UNKEPT and self._waiting[msisdn] < _MAX_EACH

    def begin(self, msisdn: int) -> None:
        """Note that a message of a number is under way."""
        self._under_way += 1
        self._waiting[msisdn] += 1

    def end(self, msisdn: int) -> None:
        """Note that it is not any more."""
        self._under_way -= 1
        self._leave(msisdn)

    def keep_later(self, heard: MoMessage) -> None:
        """Take what is to be kept as soon as it can be, even past the bound.

        The SP may have it already, and then it will not come again: of such there is no more
        than one turn of the loop reads, and what was under way when the store failed.
        """
        self._unkept.append(heard)
        self._waiting[heard.word.msisdn] += 1

    def kept(self) -> None:
        """Note that `next_unkept` is kept."""
        self._leave(self._unkept.popleft().word.msisdn)

    def _leave(self, msisdn: int) -> None:
        self._waiting[msisdn] -= 1
        if not self._waiting[msisdn]:
            del self._waiting[msisdn]
