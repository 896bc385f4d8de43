"""An SMSC that can be told how to misbehave, on smpplib's codec where speed does not forbid it."""

from simulators.smsc.behaviour import POISON_TLVS, Behaviour, IdStyle
from simulators.smsc.journal import Cancelled, Counters, MessageState, Received
from simulators.smsc.server import SimulatedSmsc

__all__ = [
    "POISON_TLVS",
    "Behaviour",
    "Cancelled",
    "Counters",
    "IdStyle",
    "MessageState",
    "Received",
    "SimulatedSmsc",
]
