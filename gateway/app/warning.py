"""Early warning (预警): what the tick noticed is kept, raised once, and told to the log (R95)."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NoReturn

import structlog

from gateway.dataplane.plane import Plane
from gateway.domain.verdict import Action
from gateway.domain.warning import EarlyWarning, WarningCount, WarningKind
from gateway.policy.knowledge import Knowledge
from gateway.policy.warnings import MAX_KINDS
from gateway.ports.errors import StoreUnavailable
from gateway.ports.warnings import WarningStore
from gateway.runtime.clock import epoch
from gateway.runtime.snapshot import WarningsHealth

log = structlog.get_logger()

_EVERY_S = 1.0
_AT_ONCE = 500
_FORWARD = Action.FORWARD.value


class EarlyWarnings:
    """Hands what the data plane noticed to the store once a second, and feeds it its shares.

    What the store does not take waits, at most `MAX_KINDS` kinds; messages of more kinds are
    only counted.
    """

    def __init__(self, plane: Plane, knowledge: Knowledge, store: WarningStore) -> None:
        self._raised: Counter[str] = Counter()
        self._plane = plane
        self._knowledge = knowledge
        self._store = store
        self._waiting: dict[WarningKind, WarningCount] = {}
        self._dropped = 0
        self._said = 0
        self._is_failing = False

    def health(self) -> WarningsHealth:
        """Return what is counted since the process started."""
        return WarningsHealth(self._raised.copy(), self._plane.warnings.others + self._dropped)

    async def watch(self) -> NoReturn:
        """Look once a second, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            self.feed()
            await self.hand_over()

    def feed(self) -> None:
        """Let the rules know how many numbers the SMSC did not know of late (R28)."""
        self._knowledge.answers.feed(self._totals(), epoch())

    async def hand_over(self) -> None:
        """Give what gathered to the store; what it does not take is tried again."""
        for one in self._plane.warnings.take():
            self._keep(one)
        self._say_unsorted()
        try:
            while self._waiting:
                some = list(self._waiting.values())[:_AT_ONCE]
                self._tell(await self._store.add(some))
                for one in some:
                    del self._waiting[one.kind]
        except StoreUnavailable as error:
            self._note_failure(error)
        else:
            self._is_failing = False

    def _totals(self) -> Mapping[str, tuple[int, int]]:
        tally = self._plane.tally
        return {
            system_id: (
                tally.senders.get((system_id, _FORWARD), 0),
                tally.unknown.get(system_id, 0),
            )
            for system_id in self._plane.rules.accounts
        }

    def _keep(self, one: WarningCount) -> None:
        before = self._waiting.get(one.kind)
        if before is not None:
            self._waiting[one.kind] = before.joined(one)
        elif len(self._waiting) < MAX_KINDS:
            self._waiting[one.kind] = one
        else:
            self._dropped += one.count

    def _tell(self, raised: Sequence[EarlyWarning]) -> None:
        for warning in raised:
            code, rule, system_id, port = warning.gathered.kind
            self._raised[code.value] += 1
            severity = warning.gathered.severity
            log.warning(
                "warning.raised",
                number=warning.number,
                code=code.value,
                rule=rule,
                system_id=system_id,
                port=port,
                severity=severity.value if severity is not None else "",
                category=warning.gathered.category,
                campaign=warning.gathered.campaign,
            )

    def _say_unsorted(self) -> None:
        unsorted = self._plane.warnings.others + self._dropped
        if unsorted > self._said:
            log.error("warning.kinds_exceeded", messages=unsorted - self._said)
            self._said = unsorted

    def _note_failure(self, error: StoreUnavailable) -> None:
        if not self._is_failing:
            self._is_failing = True
            log.error("warning.write_failed", said=str(error))
