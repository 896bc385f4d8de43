"""Who may hold a connection of an HTTP server: strangers a few, clients with a token the rest."""

from typing import Protocol

from gateway.session.addresses import origin_of
from gateway.session.stranger_places import StrangerPlaces

# So many that among hundreds of newcomers a second each has the time to ask.
MAX_STRANGERS = 128
MAX_STRANGERS_OF_ONE = 16
MAX_KNOWN = 56
# A reverse proxy is one address with the requests of many clients.
MAX_KNOWN_OF_ADDRESS = 32
MAX_KNOWN_OF_CLIENT = 16


class HttpConnection(Protocol):
    """What a place is for."""

    address: str

    @property
    def is_idle(self) -> bool:
        """Tell whether no request is being answered on it."""

    def drop(self) -> None:
        """End it at once."""


class HttpPlaces:
    """Keeps connections that have shown no valid token apart from those that have.

    A newcomer is a stranger and always gets a place (see StrangerPlaces). Once it has shown a
    token, `prove` moves it to the places of clients, which strangers can not take: of these an
    idle connection goes for another, and where none is idle the newcomer does.
    """

    def __init__(self) -> None:
        self.strangers: StrangerPlaces[HttpConnection] = StrangerPlaces(
            MAX_STRANGERS, MAX_STRANGERS_OF_ONE
        )
        self.known: dict[HttpConnection, str] = {}

    def enter(self, connection: HttpConnection) -> None:
        """Give a newcomer a stranger's place."""
        self.known.pop(connection, None)
        goes = self.strangers.enter(connection, origin_of(connection.address))
        if goes is not None:
            goes.drop()

    def prove(self, connection: HttpConnection, client: str) -> None:
        """Give a connection that has shown the token of `client` one of the clients' places."""
        self.strangers.leave(connection)
        self.known.pop(connection, None)
        self.known[connection] = client  # behind the others: it was used last
        own = [one for one, name in self.known.items() if name == client]
        near = [one for one in self.known if one.address == connection.address]
        for counted, maximum in (
            (own, MAX_KNOWN_OF_CLIENT),
            (near, MAX_KNOWN_OF_ADDRESS),
            (list(self.known), MAX_KNOWN),
        ):
            if len(counted) > maximum:
                idle = [one for one in counted if one.is_idle and one is not connection]
                self._drop(idle[0] if idle else connection)
                return

    def doubt(self, connection: HttpConnection) -> None:
        """Take a client's place from a connection after a request without a valid token."""
        if connection in self.known:
            self.enter(connection)

    def leave(self, connection: HttpConnection) -> None:
        """Free the place of a connection that is gone. May be repeated."""
        self.strangers.leave(connection)
        self.known.pop(connection, None)

    def _drop(self, connection: HttpConnection) -> None:
        del self.known[connection]
        connection.drop()
