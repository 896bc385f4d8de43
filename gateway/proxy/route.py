"""Finding a sender's live connections, for what the gateway itself has to say."""

from collections.abc import Callable, Mapping

from gateway.dataplane.link import Link
from gateway.proxy.connection import Connection
from gateway.proxy.pairs import Pair


class Routes:
    """Looks among the live pairs; nothing is keyed by socket, so any bind of a sender will do."""

    def __init__(self, pairs: Mapping[Link, Pair]) -> None:
        self._pairs = pairs

    def to_smsc(self, system_id: str) -> Connection | None:
        """Return a bind at the SMSC that can submit for a sender."""
        return self._find(
            system_id,
            lambda pair: (
                pair.smsc if pair.smsc is not None and pair.smsc.link.state.can_submit else None
            ),
        )

    def to_esme(self, system_id: str) -> Connection | None:
        """Return a session of a sender that takes deliveries."""
        return self._find(
            system_id, lambda pair: pair.esme if pair.session.state.can_deliver else None
        )

    def submitters(self) -> set[str]:
        """Return who has a bind at the SMSC that can submit."""
        return {
            pair.sender.system_id
            for pair in self._pairs.values()
            if pair.smsc is not None and pair.smsc.link.state.can_submit
        }

    def senders(self) -> set[str]:
        """Return who is bound."""
        return {pair.sender.system_id for pair in self._pairs.values()}

    def _find(
        self, system_id: str, choose: Callable[[Pair], Connection | None]
    ) -> Connection | None:
        for pair in self._pairs.values():
            if pair.sender.system_id == system_id and (found := choose(pair)) is not None:
                return found
        return None
