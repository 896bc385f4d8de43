"""Answers on their way to an ESME: shuffled, held back or late as Behaviour says."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from simulators.smsc.exchange import Exchange
from simulators.smsc.receipts import Receipt


class Reply(NamedTuple):
    """An answer, written as often as the ESME shall get it, and the receipt that follows it."""

    octets: bytes
    receipt: Receipt | None


class Replies:
    """Gathers the answers to what one read brought, and lets them go together."""

    def __init__(
        self,
        exchange: Exchange,
        write: Callable[[bytes], None],
        route: Callable[[list[Receipt]], None],
    ) -> None:
        self._exchange = exchange
        self._write = write
        self._route = route
        self._loop = asyncio.get_running_loop()
        self._gathered: list[Reply] = []
        self._unshuffled: list[Reply] = []
        self._held: list[Reply] = []
        self._patience: asyncio.TimerHandle | None = None

    def add(self, reply: Reply) -> None:
        """Keep `reply` until `flush`."""
        self._gathered.append(reply)

    def flush(self) -> None:
        """Send what was added, or start its delay."""
        replies, self._gathered = self._gathered, []
        if not replies:
            return
        behaviour = self._exchange.behaviour
        if behaviour.out_of_order:
            replies = self._shuffle(replies)
        if behaviour.hold_answers:
            self._held += replies
        elif behaviour.answer_delay_s:
            self._loop.call_later(behaviour.answer_delay_s, self._send, replies)
        else:
            self._send(replies)

    def release(self) -> None:
        """Send what Behaviour.hold_answers kept back."""
        held, self._held = self._held, []
        self._send(held)

    def stop(self) -> None:
        """Let go of the timer: nobody reads answers any more."""
        if self._patience:
            self._patience.cancel()

    def _shuffle(self, replies: list[Reply]) -> list[Reply]:
        behaviour = self._exchange.behaviour
        waiting = self._unshuffled + replies
        whole = len(waiting) - len(waiting) % behaviour.out_of_order
        shuffled: list[Reply] = []
        for at in range(0, whole, behaviour.out_of_order):
            group = waiting[at : at + behaviour.out_of_order]
            self._exchange.shuffling.shuffle(group)
            shuffled += group
        self._unshuffled = waiting[whole:]
        self.stop()
        patience_s = behaviour.out_of_order_patience_s
        self._patience = self._loop.call_later(patience_s, self._shuffle_the_rest)
        return shuffled

    def _shuffle_the_rest(self) -> None:
        group, self._unshuffled = self._unshuffled, []
        self._exchange.shuffling.shuffle(group)
        self._send(group)

    def _send(self, replies: list[Reply]) -> None:
        self._write(b"".join([reply.octets for reply in replies]))
        receipts = [reply.receipt for reply in replies if reply.receipt]
        delay_s = self._exchange.behaviour.receipt_delay_s
        if receipts and delay_s:
            self._loop.call_later(delay_s, self._route, receipts)
        elif receipts:
            self._route(receipts)
