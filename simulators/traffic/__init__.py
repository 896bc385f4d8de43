"""The traffic of the demo: a bank, a retailer and a spammer who never run out of messages."""

from simulators.traffic.evasions import EVASIONS, Encoded
from simulators.traffic.personas import (
    OPTED_OUT,
    PERSONAS,
    SUBSCRIBERS,
    OwnedPort,
    Persona,
    PersonaName,
    Submission,
    persona_messages,
)
from simulators.traffic.phrases import SPAM_PHRASES

__all__ = [
    "EVASIONS",
    "OPTED_OUT",
    "PERSONAS",
    "SPAM_PHRASES",
    "SUBSCRIBERS",
    "Encoded",
    "OwnedPort",
    "Persona",
    "PersonaName",
    "Submission",
    "persona_messages",
]
