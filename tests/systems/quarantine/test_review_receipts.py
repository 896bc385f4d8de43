"""Who is owed a receipt is one question, however many SPs are bound."""

from collections.abc import Callable

import pytest

from gateway.domain.quarantine import HeldMessage, ReceiptState
from gateway.stores import Stores

pytestmark = pytest.mark.every_store

Builder = Callable[..., HeldMessage]


async def test_who_is_owed_a_receipt_is_known_once_each(stores: Stores, held: Builder) -> None:
    due = ReceiptState.DUE
    await stores.quarantine.hold(
        [
            held(message_id=1, receipt=due),
            held(message_id=2, receipt=due, system_id="sp2"),
            held(message_id=3, receipt=due),
            held(message_id=4, receipt=ReceiptState.SENT, system_id="sp3"),
        ]
    )

    assert await stores.quarantine.owed_receipts() == {"sp1", "sp2"}
