"""Service providers: one as its own software would behave, one that obeys to the octet."""

from simulators.esme.raw import UNANSWERED, Answer, RawEsme, answer_of
from simulators.esme.simulated import BindRefusedError, Credentials, Mobile, SimulatedEsme

__all__ = [
    "UNANSWERED",
    "Answer",
    "BindRefusedError",
    "Credentials",
    "Mobile",
    "RawEsme",
    "SimulatedEsme",
    "answer_of",
]
