"""Places of strangers and of clients at an HTTP server."""

from dataclasses import dataclass

from gateway.console.http_server import (
    MAX_KNOWN,
    MAX_KNOWN_OF_ADDRESS,
    MAX_KNOWN_OF_CLIENT,
    MAX_STRANGERS,
    HttpPlaces,
)


@dataclass(eq=False)
class Line:
    address: str = "192.0.2.1"
    is_idle: bool = True
    is_dropped: bool = False

    def drop(self) -> None:
        self.is_dropped = True


def clients(places: HttpPlaces, count: int, *, of_one: int, per_address: int = 1) -> list[Line]:
    """Let so many connections show a token, `of_one` that of each client."""
    lines = [Line(f"192.0.2.{number // per_address}") for number in range(count)]
    for number, line in enumerate(lines):
        places.enter(line)
        places.prove(line, f"client {number // of_one}")
    return lines


def test_strangers_never_take_the_places_of_clients() -> None:
    places = HttpPlaces()
    known = clients(places, MAX_KNOWN, of_one=8)

    strangers = [Line(f"203.0.113.{number}") for number in range(200)]
    for line in strangers:
        places.enter(line)

    assert not any(line.is_dropped for line in known)
    assert sum(not line.is_dropped for line in strangers) == MAX_STRANGERS


def test_a_client_among_strangers_of_its_own_address_keeps_its_place_once_it_is_known() -> None:
    places = HttpPlaces()
    clerk = Line()
    places.enter(clerk)
    places.prove(clerk, "营业厅")

    for _ in range(100):
        places.enter(Line())

    assert not clerk.is_dropped


def test_one_client_has_its_share_and_its_oldest_idle_connection_goes_for_another() -> None:
    places = HttpPlaces()
    own = clients(places, MAX_KNOWN_OF_CLIENT, of_one=100)
    own[0].is_idle = False

    (another,) = clients(places, 1, of_one=1)

    assert [line.is_dropped for line in own] == [False, True] + [False] * (len(own) - 2)
    assert not another.is_dropped


def test_where_no_connection_of_an_address_is_idle_the_newcomer_goes() -> None:
    places = HttpPlaces()
    near = clients(places, MAX_KNOWN_OF_ADDRESS, of_one=8, per_address=100)
    for line in near:
        line.is_idle = False

    another = Line("192.0.2.0")
    places.enter(another)
    places.prove(another, "shop")

    assert another.is_dropped
    assert len(places.known) == MAX_KNOWN_OF_ADDRESS


def test_where_all_places_of_clients_are_taken_an_idle_one_goes() -> None:
    places = HttpPlaces()
    known = clients(places, MAX_KNOWN, of_one=8)

    another = Line("198.51.100.1")
    places.enter(another)
    places.prove(another, "shop")

    assert known[0].is_dropped
    assert not another.is_dropped


def test_a_connection_whose_next_request_shows_no_token_is_a_strangers_again() -> None:
    places = HttpPlaces()
    (line,) = clients(places, 1, of_one=1)

    places.doubt(line)
    places.doubt(line)

    assert line in places.strangers
    assert places.known == {}


def test_who_is_gone_has_no_place_whatever_it_had() -> None:
    places = HttpPlaces()
    stranger, (client,) = Line(), clients(places, 1, of_one=1)
    places.enter(stranger)

    for line in (stranger, client, client):
        places.leave(line)

    assert len(places.strangers) == len(places.known) == 0
