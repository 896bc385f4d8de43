"""What the data plane counts: plain ints, read at scrape."""


class Tally:
    """Counters of one pipeline.

    `verdicts` is keyed by action and reason, `senders` by system_id and action, `answers` by
    command_status. `unknown` counts by system_id the answers ESME_RINVDSTADR to submit_sm.
    `replies_put_back` are subscribers' messages that the SMSC was asked to send again, and
    `replies_unheard` those that nothing was done about, for want of room or of a store.
    `latency_us` counts answers by the bit length of their microseconds.
    """

    __slots__ = (
        "answers",
        "filter_failures",
        "forwarded",
        "framing_faults",
        "late",
        "latency_us",
        "latency_us_total",
        "link_lost",
        "malformed",
        "relayed",
        "replies_put_back",
        "replies_unheard",
        "senders",
        "stray",
        "timeouts",
        "unknown",
        "verdicts",
    )

    def __init__(self) -> None:
        self.forwarded = 0
        self.relayed = 0
        self.stray = 0
        self.late = 0
        self.timeouts = 0
        self.link_lost = 0
        self.filter_failures = 0
        self.framing_faults = 0
        self.malformed = 0
        self.replies_put_back = 0
        self.replies_unheard = 0
        self.verdicts: dict[tuple[str, str], int] = {}
        self.answers: dict[int, int] = {}
        self.unknown: dict[str, int] = {}
        self.senders: dict[tuple[str, str], int] = {}
        self.latency_us = [0] * 64
        self.latency_us_total = 0

    def sender(self, system_id: str, action: str, count: int = 1) -> None:
        """Count what became of a sender's messages; senders are those of the configuration."""
        key = (system_id, action)
        self.senders[key] = self.senders.get(key, 0) + count

    def verdict(self, action: str, reason: str, count: int = 1) -> None:
        """Count messages that were not simply forwarded."""
        key = (action, reason)
        self.verdicts[key] = self.verdicts.get(key, 0) + count
