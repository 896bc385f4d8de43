"""What both sides of the data plane share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.dataplane.hints import Hints
from gateway.dataplane.parts import Parts
from gateway.dataplane.tally import Tally
from gateway.policy.ruleset import RuleSet


@dataclass(slots=True)
class Plane:
    """The rules in force, the tables that grow (each bounded), and the switches.

    `next_id` returns a new gateway message id for an epoch time. `is_overloaded` makes every
    new message be refused with ESME_RMSGQFUL: records can not be written, say. `watched` are
    the system_ids that a receipt with a gateway id may be due for, `hints` the opt-out words
    that senders have advertised.
    """

    rules: RuleSet
    pdu_octets: int
    deliver_window: int
    response_s: float
    next_id: Callable[[float], int]
    parts: Parts = field(init=False)
    tally: Tally = field(default_factory=Tally)
    is_overloaded: bool = False
    watched: set[str] = field(default_factory=set)
    hints: Hints = field(default_factory=Hints)

    def __post_init__(self) -> None:
        self.parts = Parts(self.rules.bundle.content.parts_ttl_s)

    def load(self, rules: RuleSet) -> None:
        """Judge with `rules` from now on; parts under way keep their texts."""
        self.rules = rules
        self.parts.ttl_s = rules.bundle.content.parts_ttl_s
