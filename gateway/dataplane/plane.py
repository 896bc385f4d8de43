"""What both sides of the data plane share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.dataplane.hints import Hints
from gateway.dataplane.part_ids import PartIds
from gateway.dataplane.part_table import PartTable
from gateway.dataplane.tally import Tally
from gateway.dataplane.trials import Trials
from gateway.policy.ruleset import RuleSet
from gateway.policy.warnings import WarningTally


@dataclass(slots=True)
class Plane:
    """The rules in force, the tables that grow (each bounded), and the switches.

    `session_octets` is what one session may have worked on in one turn, in octets and characters
    read: it goes past that by less than one PDU. While `takes_long` one request of more than
    LONG_PDU_OCTETS is judged, and ends that: others wait until it is set again. `next_id` returns
    a new gateway message id for an epoch time. `is_overloaded` makes every new message be refused
    with ESME_RMSGQFUL, and every delivery with ESME_RX_T_APPN: records can not be written, say.
    `keeps_texts` lets records carry what was said (N136, R70).
    `stopped` are the system_ids of SPs for whom nothing may be written that is not a record: of
    theirs nothing is held, and where `keeps_texts` nothing is taken at all.
    `watched` are the system_ids that a receipt with a gateway id may be due for, `hints` the
    opt-out words that senders have advertised, `trials` what records say of messages that rules
    in shadow mode are against. `withholds` tells of a subscriber's message
    whether it may be for the gateway alone, as 0000 is (R33).
    """

    rules: RuleSet
    pdu_octets: int
    deliver_window: int
    response_s: float
    next_id: Callable[[float], int]
    parts: PartTable = field(init=False)
    part_ids: PartIds = field(default_factory=PartIds)
    tally: Tally = field(default_factory=Tally)
    warnings: WarningTally = field(default_factory=WarningTally)
    trials: Trials = field(default_factory=Trials)
    session_octets: int = 16 * 1024
    takes_long: bool = True
    is_overloaded: bool = False
    keeps_texts: bool = False
    stopped: frozenset[str] = frozenset()
    watched: set[str] = field(default_factory=set)
    hints: Hints = field(default_factory=Hints)
    withholds: Callable[[bytes], bool] = lambda _pdu: False

    def __post_init__(self) -> None:
        content = self.rules.bundle.content
        self.parts = PartTable(content.parts_ttl_s, content.late_parts_s)
        self.rules.share_refusals()

    def load(self, rules: RuleSet) -> None:
        """Judge with `rules` from now on; parts keep their texts, and counters their counts."""
        rules.adopt(self.rules)
        rules.share_refusals()
        self.rules = rules
        content = rules.bundle.content
        self.parts.ttl_s, self.parts.late.keep_s = content.parts_ttl_s, content.late_parts_s
