"""The desk that held messages lie on."""

import pytest

from gateway.stores import Stores
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import QuarantineDesk


@pytest.fixture
def desk(stores: Stores) -> QuarantineDesk:
    return QuarantineDesk(stores.quarantine, MessageIds(worker=1))
