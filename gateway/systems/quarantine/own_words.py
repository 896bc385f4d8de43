"""Do what a subscriber's command about held messages asks for, and say so in one message (R50)."""

from collections.abc import Sequence
from datetime import datetime

from gateway.policy.hold_words import HoldCommand, HoldVerb
from gateway.ports.subscriptions import (
    SESSION_LIFE,
    Changes,
    OfferSession,
    SessionKind,
    SubscriptionStore,
)
from gateway.systems.quarantine import own_texts
from gateway.systems.quarantine.own_holds import OwnHold, OwnHolds


class OwnWords:
    """Answers commands. The numbers of a list are good for a day, as those of 0000 are.

    A port has one list at a time: what is listed last is what numbers are about.
    """

    def __init__(self, holds: OwnHolds, sessions: SubscriptionStore) -> None:
        self._holds = holds
        self._sessions = sessions

    async def obey(self, msisdn: int, port: str, command: HoldCommand, now: datetime) -> str:
        """Do what `command` asks for; return the one reply, for the same port.

        Raises StoreUnavailable; what was done by then is not undone, and may be asked again.
        """
        session = (await self._sessions.known(msisdn, port, now)).session
        if session is not None and session.kind is not SessionKind.HOLDS:
            session = None
        if command.verb is HoldVerb.LIST:
            return await self._list((msisdn, port), session, now)
        if session is None:
            return own_texts.LIST_FIRST
        if not command.items or not 1 <= min(command.items) <= max(command.items) <= len(
            session.items
        ):
            return own_texts.NO_SUCH_ITEM
        named = [int(session.items[item - 1][1]) for item in command.items]
        return await self._decide(msisdn, command.verb, named, now)

    async def _list(
        self, place: tuple[int, str], session: OfferSession | None, now: datetime
    ) -> str:
        """List what is held; asked again while nothing changed, the next page."""
        own = await self._holds.list_own(place[0], now)
        if not own:
            return own_texts.NOTHING_HELD
        items = tuple((one.source, str(one.message_id)) for one in own)
        start = 0
        if session is not None and session.items == items and session.shown < len(items):
            start = session.shown
        text, shown = own_texts.listing(own, start)
        fresh = OfferSession(*place, SessionKind.HOLDS, items, now + SESSION_LIFE, shown)
        await self._sessions.keep(Changes(session=fresh))
        return text

    async def _decide(
        self, msisdn: int, verb: HoldVerb, named: Sequence[int], now: datetime
    ) -> str:
        done: list[OwnHold]
        if verb is HoldVerb.RELEASE:
            done = await self._holds.release_own(msisdn, named, now)
            said = own_texts.released
        else:
            done = await self._holds.discard_own(msisdn, named, now)
            said = own_texts.discarded
        return said(len(done), len(named) - len(done)) if done else own_texts.GONE
