"""When a subscriber may be asked for an order that somebody else brings, if at all."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from gateway.domain.msisdn import written_alike
from gateway.domain.preferences import PreferenceAction, PreferenceKind, packed
from gateway.domain.traffic import TrafficClass
from gateway.policy.asking_hours import AskingHours
from gateway.policy.preferences import Preferences
from gateway.ports.preferences import PreferenceStore

# Quiet hours need not fall together with anybody's window: it is tried this often, this far.
_STEP = timedelta(minutes=30)
_STEPS = 48


class Courtesy:
    """Knows the hours of the policy (R40), and what each subscriber wants to receive (R50)."""

    def __init__(self, store: PreferenceStore, hours: Callable[[], AskingHours]) -> None:
        self._store = store
        self._hours = hours

    async def asks_at(self, msisdn: int, port: str, text: str, now: datetime) -> datetime | None:
        """Return from when on `port` may ask, `now` or later; None when it may not.

        Raises StoreUnavailable.
        """
        hours = self._hours()
        alike = written_alike(msisdn)
        wishes = Preferences([(one, packed(await self._store.of(one))) for one in alike])
        moment = hours.opening(msisdn, now)
        for _ in range(_STEPS):
            if moment is None:
                return None
            local_of = partial(hours.local, moment=moment)
            against = wishes.judge(msisdn, port, TrafficClass.COMMERCIAL, (), text, local_of)
            if against is None or against.action is PreferenceAction.ALLOW:
                return moment
            if against.kind is not PreferenceKind.QUIET_HOURS:
                return None
            moment = hours.opening(msisdn, moment + _STEP)
        return None
