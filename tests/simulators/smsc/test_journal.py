from simulators.smsc.journal import Memory, MessageState


def test_the_oldest_message_is_forgotten_first() -> None:
    memory = Memory(limit=2)

    for message_id in ("1", "2", "3"):
        memory.remember(message_id, MessageState.ENROUTE)
    memory.remember("2", MessageState.DELIVERED)

    states = [memory.state_of(message_id) for message_id in ("1", "2", "3")]
    assert states == [None, MessageState.DELIVERED, MessageState.ENROUTE]
