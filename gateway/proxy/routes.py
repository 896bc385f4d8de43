"""SPs that are bound, each with its bind at the SMSC, and which of them a message goes by."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.dataplane.attention import SmscDelivery
from gateway.dataplane.link import Link
from gateway.domain.sender import Sender
from gateway.policy.submission import Account
from gateway.proxy.connection import Connection
from gateway.session.binding import BindRequest


@dataclass(slots=True, eq=False)
class Pair:
    """A bound SP and its bind at the SMSC, which may be away for a while."""

    esme: Connection
    sender: Sender
    request: BindRequest
    bind_pdu: bytes = field(repr=False)  # the password is in it
    smsc: Connection | None = None

    @property
    def session(self) -> Link:
        """Return the link on the SP's side."""
        return self.esme.link

    def can_submit(self, smsc: str = "") -> bool:
        """Tell whether its bind takes requests, and is at `smsc`, if given."""
        if self.smsc is None or not self.smsc.link.state.can_submit or self.smsc.link.is_leaving:
            return False
        return not smsc or smsc == self.smsc.link.smsc


class Pairs(dict[Link, Pair]):
    """The live pairs by the link on the SP's side; those of one sender are found at once."""

    def __init__(self) -> None:
        super().__init__()
        self._of: defaultdict[str, list[Pair]] = defaultdict(list)

    def add(self, pair: Pair) -> None:
        """Add a pair after its SP has bound."""
        self[pair.session] = pair
        self._of[pair.sender.system_id].append(pair)

    def remove(self, session: Link) -> Pair | None:
        """Remove the pair of a session that is gone, and return it; None if it was not bound."""
        pair = self.pop(session, None)
        if pair is not None:
            self._of[pair.sender.system_id].remove(pair)
        return pair

    def of(self, system_id: str) -> list[Pair]:
        """Return the pairs of a sender, the oldest first."""
        return self._of.get(system_id, [])


def is_owed(session: Link) -> bool:
    """Tell whether a session still waits for an answer of ours."""
    return bool(session.held or session.under_way)


class Routes:
    """Looks among the live pairs; nothing is keyed by socket, so any bind of a sender will do.

    A session takes no delivery of a shared link while `window` of its deliveries are unanswered.
    `submitter` returns a bind of the gateway's own that can submit for SPs of a group of SMSCs
    which have none, of all `accounts`, and for "" the gateway's own messages; if an SMSC is named,
    too, one that SPs share there.
    """

    def __init__(
        self,
        pairs: Pairs,
        window: int,
        submitter: Callable[[str, str], Connection | None] = lambda _group, _smsc: None,
        accounts: Callable[[], Mapping[str, Account]] = dict,
        is_pooled: Callable[[str], bool] = lambda _group: False,
    ) -> None:
        self._is_pooled = is_pooled
        self._submitter = submitter
        self._pairs = pairs
        self._accounts = accounts
        self.window = window

    def to_smsc(self, system_id: str, smsc: str = "", group: str = "") -> Connection | None:
        """Return a bind that can submit for a sender: one of its own, or else of the gateway's.

        If an SMSC `smsc` is given, only one that the sender's messages go on there will do; if a
        route leads to `group`, only one of that, unless the sender's own group is not pooled.
        """
        account = self._accounts().get(system_id)
        if group and account is not None and self._is_pooled(account.sender.group):
            return self._submitter(group, "")
        binds = (pair.smsc for pair in self._pairs.of(system_id) if pair.can_submit(smsc))
        bind = next(binds, None)
        if bind is not None:
            return bind
        # An SMSC may be of another group than the sender's, where routes by prefix lead.
        own = "" if account is None else account.sender.group
        return self._submitter("" if smsc else own, smsc)

    def bind_at(self, system_id: str, smsc: str) -> Link | None:
        """Return the link of a bind at an SMSC that a sender's messages go on."""
        connection = self.to_smsc(system_id, smsc)
        return None if connection is None else connection.link

    def takes_own(self, system_id: str, group: str = "") -> bool:
        """Tell whether a bind for a sender has room for a request of the gateway's own."""
        bind = self.to_smsc(system_id, group=group)
        return bind is not None and bind.link.room_of_own() > 0

    def own_bind(self) -> Connection | None:
        """Return a bind to submit on what is no SP's."""
        return self._submitter("", "")

    def to_esme(self, system_id: str) -> Connection | None:
        """Return a session of a sender that takes deliveries."""
        pairs = self._pairs.of(system_id)
        return next((one.esme for one in pairs if one.session.state.can_deliver), None)

    def session_of(self, system_id: str) -> Link | None:
        """Return a session of a sender that has room for one more delivery."""
        sessions = (pair.session for pair in self._pairs.of(system_id))
        return next((one for one in sessions if self._takes_delivery(one)), None)

    def _takes_delivery(self, session: Link) -> bool:
        return session.state.can_deliver and len(session.outstanding) < self.window

    def session_for(self, item: SmscDelivery) -> Link | None:
        """Return a session that takes a delivery: the one of its link, if that can."""
        peer = item.link.peer
        if peer is not None and peer.state.can_deliver:
            return peer
        if item.link.is_shared:
            return self.session_of(item.system_id)
        connection = self.to_esme(item.system_id)
        return connection.link if connection is not None else None

    def submitters(self) -> set[str]:
        """Return the senders that a bind at the SMSC can submit for."""
        bound = {pair.sender.system_id for pair in self._pairs.values() if pair.can_submit()}
        groups = {one.sender.group for one in self._accounts().values()}
        reached = {group for group in groups if self._submitter(group, "") is not None}
        others = (name for name, one in self._accounts().items() if one.sender.group in reached)
        return bound.union(others) if reached else bound

    def senders(self) -> set[str]:
        """Return who is bound."""
        return {pair.sender.system_id for pair in self._pairs.values()}
