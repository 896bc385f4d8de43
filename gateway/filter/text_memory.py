"""What is known of texts, in bounded memory: texts that are not asked for are forgotten first."""

from gateway.filter.facts import TextFacts

CodedText = tuple[int, bytes]
Generations = list[dict[CodedText, TextFacts]]

# What one entry takes besides its octets: key tuple, bytes object, dict slot and its share of
# empty slots, the facts and their objects. And per octet: the readings, two octets a character;
# there may be several.
_ENTRY_OCTETS = 900
_OCTETS_PER_OCTET = 4
# Takes half a millisecond. The garbage collector counts objects created minus objects destroyed:
# with fewer at once it would not notice the new texts, and scan all of them later, in 30 ms.
_AT_ONCE = 1_000


class TextMemory:
    """The facts of texts, by data_coding and octets.

    Bounded in entries and octets by two generations: when the young one is full it becomes the
    old one. A text that is asked for again moves to the young one, so a flood of new texts pushes
    out only what is not in use. The old one is forgotten little by little while the second half
    of the young one fills: forgetting 30 000 texts at once would take 20 ms.
    """

    __slots__ = (
        "_aged",
        "_entries",
        "_entry_octets",
        "_leaving",
        "_octets",
        "_old",
        "_young_octets",
        "young",
    )

    def __init__(self, entries: int, octets: int, more_octets: int = 0) -> None:
        """Keep at most `entries`; `more_octets` is what each entry needs beyond the usual."""
        self._entries = max(1, entries // 2)
        self._octets = max(1, octets // 2)
        self._entry_octets = _ENTRY_OCTETS + more_octets
        self.young: dict[CodedText, TextFacts] = {}
        self._old: dict[CodedText, TextFacts] = {}
        self._young_octets = 0
        # How many entries the old generation had when it became old.
        self._aged = 0
        self._leaving: Generations = []

    def give_up(self) -> Generations:
        """Return all that is held, for another memory to release, and hold nothing."""
        held = [one for one in (self.young, self._old, *self._leaving) if one]
        self.young, self._old, self._leaving, self._young_octets = {}, {}, [], 0
        return held

    def let_go(self, ended: Generations) -> None:
        """Take over what another memory gave up, to forget it little by little."""
        self._leaving += ended

    def recall(self, key: CodedText) -> TextFacts | None:
        """Return what is known of a text that is not in `young`, None if it is unknown."""
        facts = self._old.get(key)
        if facts is not None:
            self.keep(key, facts)
        return facts

    def keep(self, key: CodedText, facts: TextFacts) -> None:
        """Remember the facts of a text, unless it alone would fill the memory."""
        octets = len(key[1]) * _OCTETS_PER_OCTET + self._entry_octets
        if octets > self._octets:
            return
        if len(self.young) >= self._entries or self._young_octets + octets > self._octets:
            self._old, self.young, self._young_octets = self.young, {}, 0
            self._aged = len(self._old)
        self.young[key] = facts
        self._young_octets += octets

    def thin_out(self) -> None:
        """Forget some of what was let go, and some of the old generation.

        The old generation shrinks in proportion as the second half of the young one fills.
        """
        full = max(len(self.young) / self._entries, self._young_octets / self._octets)
        left = 2 * (1 - full) * self._aged
        if len(self._old) > left + _AT_ONCE:
            while len(self._old) > left:
                self._old.popitem()
        if self._leaving:
            ended = self._leaving[-1]
            for _ in range(min(_AT_ONCE, len(ended))):
                ended.popitem()
            if not ended:
                self._leaving.pop()

    def forget(self) -> None:
        """Forget all, one by one, so that other threads can run. Not while it is in use."""
        leaving = self.give_up()
        while leaving:
            generation = leaving.pop()
            while generation:
                generation.popitem()
