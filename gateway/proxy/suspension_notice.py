"""Tell suspended numbers once that they are suspended and how to be restored (R43)."""

from dataclasses import dataclass

import structlog

from gateway.domain.hub import Hub
from gateway.domain.suspension import Suspension
from gateway.ports.suspensions import SuspensionStore
from gateway.proxy.mt_sender import MtSender
from gateway.proxy.route import Routes
from gateway.proxy.tick import Tick

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SuspensionNotice:
    """The errand of a message about a suspension; its answer is not used."""

    number: int


class SuspensionNotifier:
    """Writes to suspended numbers from a hub code, on a bind of the SP that they sent through.

    It claims each notice in the store before it writes it: no number is told twice, even with
    several processes; a process killed in between leaves that number untold. Without a bind
    that can submit, the notice waits as long as the suspension lasts.
    """

    def __init__(
        self, tick: Tick, store: SuspensionStore, routes: Routes, speaking: MtSender, hub: Hub
    ) -> None:
        self._tick = tick
        self._store = store
        self._routes = routes
        self._speaking = speaking
        # One code for all, so that a phone shows one conversation.
        self._code = min(hub.codes, default=None)

    async def tell_due(self) -> None:
        """Tell the suspended numbers that were not told yet. Raises StoreUnavailable."""
        reachable = self._routes.submitters()
        if not reachable:
            return
        for one in await self._store.untold(reachable):
            if await self._store.claim_telling(one.number):
                self._tell(one)

    def _tell(self, one: Suspension) -> None:
        suspender = self._tick.pipeline.plane.rules.suspenders.get(one.rule)
        # The bind is looked up only now: it may have closed during the store call.
        connection = self._routes.to_smsc(one.system_id)
        if self._code is None:
            _leave_untold(one, "there is no hub code")
        elif suspender is None:
            _leave_untold(one, "its rule suspends no more")
        elif connection is None:
            _leave_untold(one, "the bind was lost")
        else:
            text, notice = suspender.terms.reply, SuspensionNotice(one.number)
            self._speaking.write(connection, self._code, one.msisdn, text, notice)
            self._speaking.note_about("suspended", one.system_id, one.msisdn, rule=one.rule)


def _leave_untold(one: Suspension, reason: str) -> None:
    log.warning("suspension.notice_failed", number=one.number, rule=one.rule, reason=reason)
