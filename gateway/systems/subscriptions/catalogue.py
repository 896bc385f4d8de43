"""The services on offer, found by what subscribers write."""

from collections.abc import Iterable

from gateway.domain.subscription import Service
from gateway.policy.replies.mo_words import key_of


class Catalogue:
    """Services by order word, in the form in which words are compared."""

    def __init__(self, services: Iterable[Service] = ()) -> None:
        self.services = tuple(services)
        self._orders: dict[tuple[str, str], Service] = {}
        self._ids = {(service.system_id, service.id): service for service in self.services}
        for service in self.services:
            for word in service.order_words:
                self._orders[service.system_id, key_of(word)] = service

    def offered(self, system_id: str, service_id: str) -> Service | None:
        """Return a service of an SP by its id, None when it is not on offer."""
        return self._ids.get((system_id, service_id))

    def ordered_by(self, system_id: str, port: str, text: str) -> Service | None:
        """Return the service that `text`, and nothing but it, orders at `port` or below it."""
        service = self._orders.get((system_id, key_of(text)))
        return service if service is not None and port.startswith(service.terms.port) else None
