"""The gateway's own message ids: what an SP is given for a message that is held."""

# 8 | thirteen digits of milliseconds since 1970 | two of the worker | three of a counter.
# Nineteen digits that fit a signed 64-bit number and sort by time. SMSCs seen so far give
# shorter or hexadecimal ids; where one does not, the store tells whose an id is.
_FIRST = 8 * 10**18
_MAX_EPOCH_MS = 10**13
_WORKERS = 100
_PER_MS = 1000
_DIGITS = 19


class MessageIds:
    """Issues ids that no other worker and no later run issues.

    `after` is the highest id known to be taken: it guards against a host clock that was
    set back while nothing ran.
    """

    def __init__(self, worker: int, after: int = 0) -> None:
        if not 0 <= worker < _WORKERS:
            raise ValueError(f"a worker's number is 0 to {_WORKERS - 1}")
        self._worker = worker
        self._last_ms = max(0, after - _FIRST) // (_WORKERS * _PER_MS)
        self._last_count = _PER_MS - 1

    def next_id(self, epoch_ms: int) -> int:
        """Return an id above every earlier one, also when `epoch_ms` steps back.

        Past a thousand in one millisecond, ids are taken from the next millisecond.
        """
        if not 0 <= epoch_ms < _MAX_EPOCH_MS:
            raise ValueError("not a time in milliseconds since 1970")
        if epoch_ms > self._last_ms:
            self._last_ms, self._last_count = epoch_ms, 0
        elif self._last_count + 1 < _PER_MS:
            self._last_count += 1
        else:
            self._last_ms, self._last_count = self._last_ms + 1, 0
        moment = self._last_ms * _WORKERS + self._worker
        return _FIRST + moment * _PER_MS + self._last_count


def is_message_id(text: str) -> bool:
    """Tell whether `text` has the form of our ids; only the store knows whether it is one."""
    return len(text) == _DIGITS and text[0] == "8" and text.isascii() and text.isdigit()
