"""The content stage and its memory of texts."""

from collections.abc import Mapping, Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.policy import KeywordList, ListAction
from gateway.filter.batch_views import views_of
from gateway.filter.classifier.score import Piece, TextClass, TextScore
from gateway.filter.facts import TextFacts
from gateway.filter.keywords.index import Hit, KeywordIndex
from gateway.filter.normalise.views import Views
from gateway.filter.scan import UNREADABLE, ContentScan, Learnt, Readings

INDEX = KeywordIndex([KeywordList("K", "fraud", ListAction.REJECT, ("发票", "赌场"))])
SEVERAL = KeywordIndex(
    [
        KeywordList("K", "fraud", ListAction.REJECT, ("发票", "a", "代…票"), sound=True),
        KeywordList("P", "lure", ListAction.SHADOW, ("b1",), patterns=(("数", "[0-9]{2}"),)),
    ]
)
INVOICE = Hit("K", "fraud", ListAction.REJECT, "发票")
CASINO = Hit("K", "fraud", ListAction.REJECT, "赌场")


class Decoder:
    """Reads UTF-8, and remembers what it was asked to read."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.asked: list[tuple[int, bytes]] = []

    def __call__(self, octets: bytes, data_coding: int) -> tuple[str, ...]:
        self.asked.append((data_coding, octets))
        return self.texts or (octets.decode(errors="replace"),)


def coded(text: str, data_coding: int = 8) -> tuple[int, bytes]:
    return data_coding, text.encode()


def hits_of(
    scan: ContentScan, messages: Sequence[tuple[int, bytes]], readings: Readings
) -> list[tuple[Hit, ...]]:
    return [facts.hits for facts in scan.scan(messages, readings)]


def known(scan: ContentScan, text: tuple[int, bytes]) -> tuple[Hit, ...] | None:
    facts = scan.look_up(*text)
    return None if facts is None else facts.hits


def nothing_read(_octets: bytes, _data_coding: int) -> tuple[str, ...]:
    return ()


def test_each_message_gets_its_own_hits_in_order() -> None:
    scan = ContentScan(INDEX)

    verdicts = hits_of(scan, [coded("开发票"), coded("您好"), coded("赌场发票")], Decoder())

    assert verdicts == [(INVOICE,), (), (INVOICE, CASINO)]


def test_an_empty_tick_has_no_verdicts() -> None:
    assert ContentScan(INDEX).scan([], Decoder()) == []


def test_a_text_is_read_once_and_then_remembered() -> None:
    scan, decoder = ContentScan(INDEX), Decoder()
    tick = [coded("开发票"), coded("您好"), coded("开发票")]

    first = hits_of(scan, tick, decoder)
    second = hits_of(scan, tick, decoder)

    assert first == second == [(INVOICE,), (), (INVOICE,)]
    assert decoder.asked == [coded("开发票"), coded("您好")]


def test_the_same_octets_under_another_data_coding_are_another_text() -> None:
    scan, decoder = ContentScan(INDEX), Decoder()

    scan.scan([coded("开发票", 8), coded("开发票", 0)], decoder)

    assert len(decoder.asked) == 2


def test_a_look_up_tells_unknown_from_clean() -> None:
    scan = ContentScan(INDEX)
    scan.scan([coded("您好"), coded("开发票")], Decoder())

    assert known(scan, coded("您好")) == ()
    assert known(scan, coded("开发票")) == (INVOICE,)
    assert known(scan, coded("您早")) is None


def test_every_reading_is_searched() -> None:
    scan = ContentScan(INDEX)

    assert hits_of(scan, [(0, b"x")], Decoder("plain", "赌场", "发票")) == [(INVOICE, CASINO)]


def test_octets_of_which_nothing_is_read_do_not_pass_unseen() -> None:
    scan = ContentScan(INDEX)

    assert hits_of(scan, [(4, b"\xff\xfe")], nothing_read) == [(UNREADABLE,)]
    assert known(scan, (4, b"\xff\xfe")) == (UNREADABLE,)
    assert UNREADABLE.is_unreadable


@pytest.mark.parametrize("texts", [("",), ("\ufffd\ufffd",), ("", "\ufffd")])
def test_a_reading_of_nothing_but_replacement_characters_is_none(texts: tuple[str, ...]) -> None:
    assert hits_of(ContentScan(INDEX), [(4, b"\xff")], Decoder(*texts)) == [(UNREADABLE,)]


def test_one_reading_is_enough_to_be_seen() -> None:
    assert hits_of(ContentScan(INDEX), [(4, b"\xff")], Decoder("\ufffd", "您好")) == [()]


def test_a_message_without_octets_is_clean() -> None:
    assert hits_of(ContentScan(INDEX), [(0, b"")], nothing_read) == [()]


def test_joined_texts_are_judged_and_not_remembered() -> None:
    scan = ContentScan(INDEX)

    assert scan.judge_texts(["开发票", "您好"]).hits == (INVOICE,)
    assert scan.judge_texts([]).hits == ()
    assert known(scan, coded("开发票")) is None


def test_what_could_not_be_read_beside_a_text_is_a_hit_of_its_own() -> None:
    facts = ContentScan(INDEX).judge_texts(["开发票"], is_unreadable=True, is_whole=False)

    assert facts.hits == (INVOICE, UNREADABLE)
    assert facts.texts == ("开发票",)
    assert not facts.is_whole


def test_a_text_that_swells_does_not_pass_unseen_and_its_words_are_found() -> None:
    text = "发" + "\ufdfa" * 32_000 + "票"
    scan = ContentScan(INDEX)

    assert hits_of(scan, [coded(text)], Decoder()) == [(INVOICE, UNREADABLE)]
    assert scan.judge_texts(("您好", text), is_unreadable=True).hits == (INVOICE, UNREADABLE)


def test_a_text_seen_again_shows_what_it_showed() -> None:
    scan = ContentScan(INDEX)
    (first,) = scan.scan([coded("【春晓书店】会员日八折，拒收请回复R")], Decoder())

    assert scan.look_up(*coded("【春晓书店】会员日八折，拒收请回复R")) is first
    assert first.is_whole
    assert (first.shown().signature, first.shown().advertised) == ("春晓书店", "R")


class Failing:
    """Says of a text what it is told, and fails on those with "坏" in them."""

    digest = "0123"
    measured_from: Mapping[TextClass, float] = {}

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def score(self, texts: Sequence[Views], *, is_port: bool = True) -> list[TextScore]:
        assert is_port
        self.batches.append([text.raw for text in texts])
        if any("坏" in text.raw for text in texts):
            raise RuntimeError
        return [TextScore(TextClass.PORT, len(text.raw) / 100) for text in texts]

    def pieces(self, text: Views, maximum: int, *, is_port: bool = True) -> list[Piece]:
        assert is_port
        return [Piece(text.raw[:maximum], 1.0)]


def chances(found: Sequence[TextFacts]) -> list[list[float] | None]:
    """Return what a scorer said of each reading of each text."""
    return [
        None if facts.scored is None else [one.probability for one in facts.scored]
        for facts in found
    ]


def test_r61_the_new_texts_of_a_tick_are_scored_at_once_and_only_once() -> None:
    scorer = Failing()
    scan = ContentScan(INDEX, learnt=Learnt(scorer))
    tick = [coded("您好"), coded("赌场"), coded("您好")]

    first, again = scan.scan(tick, Decoder()), scan.scan(tick, Decoder())

    assert chances(first) == chances(again) == [[0.02], [0.02], [0.02]]
    assert scorer.batches == [["您好", "赌场"]]


def test_r61_every_reading_of_a_text_is_scored() -> None:
    scan = ContentScan(INDEX, learnt=Learnt(Failing()))

    found = scan.scan([(0, b"x"), (0, b"y")], Decoder("一", "二三"))

    assert chances(found) == [[0.01, 0.02]] * 2


def test_r61_a_text_that_a_scorer_fails_on_leaves_its_neighbours_scored() -> None:
    scan = ContentScan(INDEX, learnt=Learnt(Failing()))

    found = scan.scan([coded("您好"), coded("坏的"), coded("赌场")], Decoder())

    assert chances(found) == [[0.02], None, [0.02]]
    assert [facts.hits for facts in found] == [(), (), (CASINO,)]
    assert scan.unscored == 1


def test_r61_of_octets_that_are_no_text_nothing_is_said() -> None:
    scan = ContentScan(INDEX, learnt=Learnt(Failing()))

    assert chances(scan.scan([(4, b"\xff")], nothing_read)) == [[]]


def test_r61_texts_before_one_that_cannot_be_searched_are_scored_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scan = ContentScan(INDEX, learnt=Learnt(Failing()))
    search = INDEX.search_views

    def fail(texts: Sequence[Views], day: date | None = None) -> object:
        if any("毒" in text.raw for text in texts):
            raise RuntimeError
        return search(texts, day)

    monkeypatch.setattr(INDEX, "search_views", fail)
    with pytest.raises(RuntimeError):
        scan.scan([coded("您好"), coded("毒")], Decoder())

    known = scan.look_up(*coded("您好"))
    assert known is not None
    assert chances([known]) == [[0.02]]


def test_a_scan_that_is_to_learn_something_else_begins_with_an_empty_memory() -> None:
    learnt = Learnt(Failing())
    scan = ContentScan(INDEX, learnt=learnt)
    scan.keep_day(date(2026, 11, 25))
    scan.scan([coded("您好"), coded("坏")], Decoder())

    other = scan.learning(Learnt(Failing()))

    assert scan.learning(Learnt(learnt.scorer)) is scan
    assert other.look_up(*coded("您好")) is None
    assert other.unscored == scan.unscored == 1


def test_a_scan_out_of_use_forgets_every_text() -> None:
    scan = ContentScan(INDEX)
    scan.scan([coded("您好"), coded("赌场")], Decoder())

    scan.memory.forget()

    assert scan.look_up(*coded("赌场")) is None


def test_what_is_learnt_of_a_text_takes_room_in_its_memory() -> None:
    texts = [coded(f"您好{number}") for number in range(40)]

    def remembered(learnt: Learnt) -> int:
        scan = ContentScan(INDEX, cache_octets=40_000, learnt=learnt)
        scan.scan(texts, Decoder())
        return sum(scan.look_up(*text) is not None for text in texts)

    plain, scored = remembered(Learnt()), remembered(Learnt(Failing()))
    assert scored < plain
    assert remembered(Learnt(Failing(), keeps_sounds=True)) < scored


def test_who_asks_why_is_told_the_pieces_that_made_the_score() -> None:
    told = ContentScan(INDEX, learnt=Learnt(Failing())).explain_texts(["今天去赌场玩"])
    plain = ContentScan(INDEX).explain_texts(["今天去赌场玩"])

    assert told.is_told
    assert told.pieces == (Piece("今天去赌场玩", 1.0),)
    assert (plain.pieces, plain.scored) == ((), None)


def test_the_new_texts_of_a_tick_are_read_at_once_and_each_only_once() -> None:
    read: list[list[str]] = []

    def reading(texts: Sequence[str]) -> list[Views]:
        read.append(list(texts))
        return views_of(texts)

    scan = ContentScan(INDEX, learnt=Learnt(keeps_views=True, reading=reading))
    swollen = "\ufdfa" * 3000 + "发票"
    decoder = Decoder()
    scan.scan([coded("您好")], decoder)

    facts = scan.scan([coded(one) for one in ("您好", "發票", swollen, "发票", "發票")], decoder)

    assert read == [["您好"], ["發票", "发票", "发票"]]
    assert [one.hits for one in facts] == [
        (),
        (INVOICE,),
        (INVOICE, UNREADABLE),
        (INVOICE,),
        (INVOICE,),
    ]
    assert facts[1].views[0].folded == "发票"
    assert decoder.asked.count(coded("發票")) == 1


def test_a_full_memory_forgets_what_nobody_asked_for_since() -> None:
    scan = ContentScan(INDEX, cache_entries=4)  # two generations of two

    scan.scan([coded("1"), coded("2"), coded("3"), coded("4"), coded("5")], Decoder())

    assert [scan.look_up(*coded(text)) for text in "12"] == [None, None]
    assert [known(scan, coded(text)) for text in "345"] == [(), (), ()]


def test_a_text_in_use_outlives_a_flood_of_new_ones() -> None:
    scan, decoder = ContentScan(INDEX, cache_entries=8), Decoder()
    scan.scan([coded("发票")], decoder)

    for number in range(100):
        assert hits_of(scan, [coded(f"{number}"), coded("发票")], decoder)[1] == (INVOICE,)

    assert decoder.asked.count(coded("发票")) == 1


def test_a_look_up_keeps_a_text_in_use_as_well() -> None:
    scan, decoder = ContentScan(INDEX, cache_entries=8), Decoder()
    scan.scan([coded("发票")], decoder)

    for number in range(100):
        scan.scan([coded(f"{number}")], decoder)
        assert known(scan, coded("发票")) == (INVOICE,)


def test_the_smallest_memory_still_judges() -> None:
    scan = ContentScan(INDEX, cache_entries=0)

    assert hits_of(scan, [coded("发票"), coded("您好"), coded("发票")], Decoder()) == [
        (INVOICE,),
        (),
        (INVOICE,),
    ]


def test_the_longest_texts_do_not_fill_memory() -> None:
    scan = ContentScan(INDEX, cache_octets=2**20)
    payloads = [(4, bytes([number]) * 65_535) for number in range(40)]

    scan.scan(payloads, Decoder("您好"))

    remembered = [octets for dcs, octets in payloads if scan.look_up(dcs, octets) is not None]
    assert 0 < sum(map(len, remembered)) <= 2**20
    assert remembered[-1] == payloads[-1][1]


def test_a_text_larger_than_a_generation_is_judged_and_not_kept() -> None:
    scan = ContentScan(INDEX, cache_octets=2_000)
    scan.scan([coded("您好")], Decoder())

    assert hits_of(scan, [(4, b"x" * 5_000)], Decoder("发票")) == [(INVOICE,)]
    assert scan.look_up(4, b"x" * 5_000) is None
    assert known(scan, coded("您好")) == ()


@pytest.mark.parametrize("learnt", [Learnt(), Learnt(reading=views_of)])
@given(
    ticks=st.lists(st.lists(st.sampled_from(["发票", "赌场", "您好", "a", "b", ""]), max_size=5)),
    entries=st.integers(0, 6),
)
def test_memory_never_changes_a_verdict(
    learnt: Learnt, ticks: list[list[str]], entries: int
) -> None:
    scan = ContentScan(INDEX, cache_entries=entries, learnt=learnt)

    for tick in ticks:
        verdicts = hits_of(scan, [coded(text) for text in tick], Decoder())

        assert verdicts == [INDEX.search([text]) for text in tick]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="坏")), max_size=6))
def test_all_at_once_and_by_the_way_each_text_is_judged_as_it_is_alone(texts: list[str]) -> None:
    learnt = Learnt(Failing(), keeps_sounds=True, keeps_views=True, reading=views_of)
    tick = [coded(f"{text}票") for text in texts]

    found = ContentScan(SEVERAL, learnt=learnt).scan(tick, Decoder())

    for facts, text in zip(found, texts, strict=True):
        alone = f"{text}票"
        assert facts.hits == SEVERAL.search([alone])
        assert facts.views[0].sound == Views(alone).sound
        assert facts.sound == Views(alone).sound
    assert chances(found) == [[(len(text) + 1) / 100] for text in texts]


def test_a_list_that_ends_is_forgotten_with_what_it_found() -> None:
    until = KeywordList("T", "fraud", ListAction.REJECT, ("发票",), not_after=date(2027, 1, 5))
    scan, decoder = ContentScan(KeywordIndex([until])), Decoder()

    found = []
    for day in (4, 5, 5, 6):
        scan.keep_day(date(2027, 1, day))
        found.append(bool(hits_of(scan, [coded("开发票")], decoder)[0]))

    assert found == [True, True, True, False]
    assert len(decoder.asked) == 3


def test_a_day_that_changes_the_lists_throws_no_texts_away_at_once() -> None:
    until = KeywordList("T", "fraud", ListAction.REJECT, ("发票",), not_after=date(2027, 1, 5))
    scan = ContentScan(KeywordIndex([until]))
    scan.scan([coded(f"您好{number}") for number in range(1_500)], Decoder())

    left = []
    for day in (5, 6):
        scan.keep_day(date(2027, 1, day))
        left.append(sum(map(len, scan.memory._leaving)))
        scan.scan([coded(f"明天{day}号")], Decoder())
        left.append(sum(map(len, scan.memory._leaving)))

    assert left == [1_500, 500, 501, 1]


def test_a_new_day_forgets_nothing_where_all_lists_hold() -> None:
    scan, decoder = ContentScan(INDEX), Decoder()

    for day in (4, 5):
        scan.keep_day(date(2027, 1, day))
        scan.scan([coded("开发票")], decoder)

    assert len(decoder.asked) == 1


def test_an_explanation_says_where_the_words_stand() -> None:
    facts = ContentScan(INDEX).explain_texts(["请开发 票", "赌场"])

    assert [(hit.word, hit.span) for hit in facts.hits] == [("发票", (2, 5)), ("赌场", (0, 2))]
    assert facts.texts == ("请开发 票", "赌场")
