"""The same text to many people, as it is and changed."""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.campaigns import CampaignLimits, Campaigns, bit_of, campaign_id
from gateway.filter.fingerprints import SIGNS, Fingerprint, fingerprint_of
from gateway.filter.normalise.views import Views

OFFER = "春晓书店周年店庆,全场图书低至三折,凭短信到店再送书签一枚,回t退订"
LOAN = "无需抵押无需担保,当天放款,额度高利息低,有意请联系客服经理,回t退订"
SOMEBODY = 8613800138000
HOUR = 3_600.0


class Senders:
    """Senders of texts, who are told from how many people on a campaign is one."""

    def __init__(self, campaigns: Campaigns, people: int = 1) -> None:
        self._campaigns = campaigns
        self._people = people

    def send(
        self, text: str, to: int = SOMEBODY, now: float = 0.0, sender: str = "sp1"
    ) -> str | None:
        return self.send_print(fingerprint_of(Views(text).sound), to, now, sender)

    def send_print(
        self, text: Fingerprint, to: int = SOMEBODY, now: float = 0.0, sender: str = "sp1"
    ) -> str | None:
        return self._campaigns.reaches(text, sender, self._people, to, now)


def test_a_campaign_is_called_by_the_text_that_it_began_with() -> None:
    first = fingerprint_of(Views(OFFER).sound)
    changed = fingerprint_of(Views(OFFER.replace("三折", "五折")).sound)
    senders = Senders(Campaigns())

    ids = [senders.send_print(one) for one in (first, changed)]

    assert ids == [campaign_id(first)] * 2
    assert campaign_id(changed) != campaign_id(first)


def new_text(seed: int) -> Fingerprint:
    """Return the fingerprint of a text that is like no other."""
    signs = np.random.Generator(np.random.PCG64(seed)).integers(1, 2**32, SIGNS, dtype=np.uint32)
    return Fingerprint(seed, signs)


def shuffled_letters(seed: int) -> str:
    letters = [chr(code) for code in range(0x4E00, 0x5E00)]
    return "".join(random.Random(seed).sample(letters, 40))  # noqa: S311 - texts, no secret


def told(campaigns: Campaigns, text: str, people: int, now: float = 0.0) -> int:
    """Send a text to other people, and return how many more it took to make it `people`."""
    senders = Senders(campaigns, people)
    return next(n for n in range(1, 99) if senders.send(text, to=SOMEBODY + 500 + n, now=now))


def test_the_same_text_to_many_people_is_one_campaign() -> None:
    campaigns = Campaigns()
    senders = Senders(campaigns, people=20)
    ids = [senders.send(OFFER, to=SOMEBODY + number) for number in range(22)]

    assert ids[:19] == [None] * 19
    assert len({*ids[19:]} - {None}) == 1
    assert len(campaigns) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Claim{0} your{1} free{0} casino{1} bonus{0} today{1}{0}7 {0}and win{1} cash{0} prizes{1}",
        "贷款找我{0}{1}速来",
        "赚钱点 http://a.cn/{0}{1}",
        "赚钱点 http://x{0}{1}.a.cn",
    ],
)
def test_what_numbers_and_links_leave_of_a_text_is_enough_for_a_campaign(text: str) -> None:
    campaigns = Campaigns()
    senders = Senders(campaigns, people=50)

    ids = [senders.send(text.format(n % 10, n // 10), to=SOMEBODY + 7 * n) for n in range(100)]

    assert len(campaigns) == 1
    assert ids[-1] is not None


def test_one_person_who_got_it_often_is_no_crowd() -> None:
    senders = Senders(Campaigns(), people=2)

    assert {senders.send(OFFER) for _ in range(50)} == {None}


@pytest.mark.parametrize(
    "changed",
    [
        OFFER.replace("书签一枚", "书签两枚"),
        OFFER.replace("店庆", "大庆").replace("图书", "图画书"),
        OFFER + "哦",
        "张先生," + OFFER,
        OFFER.replace("到店", "http://a.cn/x9 到店"),
    ],
)
def test_a_changed_text_is_of_the_same_campaign(changed: str) -> None:
    senders = Senders(Campaigns(), people=3)
    senders.send(OFFER)
    second = senders.send(changed, to=SOMEBODY + 1)
    third = senders.send(changed, to=SOMEBODY + 2)

    first = fingerprint_of(Views(OFFER).sound)
    assert (second, third) == (None, f"c{first.skeleton:016x}")


def test_another_text_is_another_campaign() -> None:
    campaigns = Campaigns()
    senders = Senders(campaigns)

    assert senders.send(OFFER) != senders.send(LOAN)
    assert len(campaigns) == 2


def test_short_texts_are_campaigns_only_when_they_are_the_same() -> None:
    senders = Senders(Campaigns())

    assert senders.send("速来") == senders.send("速来")
    assert senders.send("速来") != senders.send("速去")


def test_an_id_is_the_same_after_a_restart() -> None:
    before, after = Senders(Campaigns()).send(OFFER), Senders(Campaigns()).send(OFFER)

    assert before == after
    assert before is not None
    assert before.startswith("c")
    assert len(before) == 17


def test_the_people_of_all_senders_are_counted() -> None:
    senders = Senders(Campaigns(), people=3)
    ids = [senders.send(OFFER, to=SOMEBODY + n, sender=f"sp{n}") for n in range(3)]

    assert ids[:2] == [None, None]
    assert ids[2] is not None


SENT = st.lists(
    st.tuples(
        st.sampled_from(["sp1", "sp2", "sp3"]), st.integers(0, 3), st.integers(0, 9), st.booleans()
    ),
    max_size=60,
)


@given(SENT)
def test_where_each_sender_is_counted_nobody_elses_messages_matter(
    sent: list[tuple[str, int, int, bool]],
) -> None:
    limits = CampaignLimits(each_sender=True)
    together = Senders(Campaigns(limits), people=3)
    apart = {sender: Senders(Campaigns(), people=3) for sender, *_ in sent}
    for at, (sender, text, person, is_changed) in enumerate(sent):
        said = new_text(text + 1)
        if is_changed:
            assert said.signs is not None
            signs = np.concatenate([said.signs[:40], said.signs[40:] + np.uint32(at)])
            said = Fingerprint(1_000 + at, signs)
        told = together.send_print(said, SOMEBODY + person, sender=sender)

        assert told == apart[sender].send_print(said, SOMEBODY + person, sender=sender)


def test_nobody_who_knows_how_people_are_counted_can_choose_such_that_count_as_few() -> None:
    few = {bit_of(number) for number in range(10)}
    chosen = [n for n in range(SOMEBODY, SOMEBODY + 20_000) if bit_of(n) in few]

    def most(campaigns: Campaigns) -> set[str | None]:
        senders = Senders(campaigns, people=30)
        return {senders.send(OFFER, to=number) for number in chosen}

    assert most(Campaigns()) == {None}
    assert most(Campaigns(veil=0x5DEE_CE66_D1CE_4E5B)) != {None}


def test_who_got_it_an_hour_ago_counts_no_more() -> None:
    campaigns = Campaigns()
    senders = Senders(campaigns, people=6)
    for number in range(4):
        senders.send(OFFER, to=SOMEBODY + number)

    assert senders.send(OFFER, to=SOMEBODY + 4, now=0.7 * HOUR) is None
    assert senders.send(OFFER, to=SOMEBODY + 5, now=0.8 * HOUR) is not None
    assert told(campaigns, OFFER, people=6, now=1.1 * HOUR) == 4


def test_a_text_that_changes_each_time_does_not_fill_the_memory() -> None:
    campaigns = Campaigns()
    marks = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉"
    senders = Senders(campaigns, people=len(marks))
    ids = [senders.send(f"{mark}{OFFER}", to=SOMEBODY + ord(mark)) for mark in marks]

    assert ids[-1] is not None
    assert len(campaigns) == 1
    assert len(campaigns._by_skeleton) == 8
    assert int(ids[-1][1:], 16) in campaigns._by_skeleton


def test_of_small_campaigns_the_one_that_rested_longest_makes_room() -> None:
    campaigns = Campaigns(CampaignLimits(campaigns=3))
    senders = Senders(campaigns, people=4)
    texts = [shuffled_letters(number) for number in range(4)]
    for text in (*texts[:3], texts[0]):
        senders.send(text)
    senders.send(texts[3])

    assert len(campaigns) == 3
    assert told(campaigns, texts[0], people=3) == 2
    assert told(campaigns, texts[1], people=3) == 3


def test_what_reached_a_few_people_makes_room_first() -> None:
    campaigns = Campaigns(CampaignLimits(campaigns=4))
    senders = Senders(campaigns, people=4)
    for number in range(3):
        senders.send(OFFER, to=SOMEBODY + number)

    for number in range(20):
        senders.send(shuffled_letters(number))

    assert len(campaigns) == 4
    assert told(campaigns, OFFER, people=4) == 1


def test_one_that_is_told_of_from_the_first_on_is_large_after_three_all_the_same() -> None:
    campaigns = Campaigns()
    senders = Senders(campaigns, people=1)
    for number in range(3):
        assert senders.send(OFFER, to=SOMEBODY + number) is not None

    assert (len(campaigns._small), len(campaigns._large)) == (0, 1)


def test_of_large_campaigns_too_the_one_that_rested_longest_makes_room() -> None:
    campaigns = Campaigns(CampaignLimits(campaigns=4))
    senders = Senders(campaigns, people=4)
    texts = [shuffled_letters(number) for number in range(4)]
    for text in texts:
        for number in range(3):
            senders.send(text, to=SOMEBODY + number)

    assert [told(campaigns, text, people=4) for text in texts[::-1]] == [1, 1, 1, 4]


def test_one_senders_new_texts_end_nobody_elses_campaign() -> None:
    campaigns = Campaigns()
    senders = Senders(campaigns, people=6)
    for number in range(5):
        senders.send(OFFER, to=SOMEBODY + number)
    for number in range(2):
        senders.send(LOAN, to=SOMEBODY + number)

    for seed in range(20_000):
        senders.send_print(new_text(seed), sender="flood")

    assert len(campaigns) == CampaignLimits().campaigns
    assert senders.send("张先生," + OFFER.replace("一枚", "两枚"), to=SOMEBODY + 9) is not None
    assert told(campaigns, LOAN, people=6) == 4


def test_one_senders_many_campaigns_end_nobody_elses() -> None:
    campaigns = Campaigns(CampaignLimits(campaigns=64))
    senders = Senders(campaigns, people=6)
    for number in range(5):
        senders.send(OFFER, to=SOMEBODY + number)

    for seed in range(200):
        for number in range(3):
            senders.send_print(new_text(seed), to=SOMEBODY + number, sender="flood")

    # And there is room for new ones, which become large as well.
    for number in range(3):
        senders.send(LOAN, to=SOMEBODY + number)
        senders.send_print(new_text(1_000 + number), sender="flood")
    assert told(campaigns, OFFER, people=6) == 1
    assert told(campaigns, LOAN, people=6) == 3


def test_a_changed_text_is_found_however_many_came_after_the_first() -> None:
    campaigns = Campaigns(CampaignLimits(campaigns=64))
    senders = Senders(campaigns, people=4)
    ids = [senders.send(OFFER, to=SOMEBODY + number) for number in range(4)]

    for seed in range(5_000):
        senders.send_print(new_text(seed), sender="flood")

    assert senders.send(OFFER.replace("书签一枚", "书签两枚")) == ids[-1] is not None


def test_texts_that_each_share_a_little_with_one_to_come_do_not_hide_it() -> None:
    campaigns = Campaigns()
    senders = Senders(campaigns, people=20)
    spam = new_text(1)
    assert spam.signs is not None
    for band in range(SIGNS // 2):
        decoy = new_text(100 + band)
        assert decoy.signs is not None
        decoy.signs[2 * band : 2 * band + 2] = spam.signs[2 * band : 2 * band + 2]
        senders.send_print(decoy, to=SOMEBODY + band)

    told = []
    for number in range(20):
        variant = new_text(1_000 + number)
        assert variant.signs is not None
        variant.signs[:48] = spam.signs[:48]
        told.append(senders.send_print(variant, to=SOMEBODY + 100 + number))

    assert told[-1] is not None


def test_a_short_text_in_the_place_of_an_ended_one_is_not_taken_for_it() -> None:
    senders = Senders(Campaigns(CampaignLimits(campaigns=2)))
    first = senders.send(OFFER)
    senders.send(LOAN)
    short = senders.send("速来")
    again = senders.send(OFFER)

    assert first == again != short


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from("aab"), st.integers(0, 4), st.integers(0, 9)),
        max_size=80,
    ),
    st.integers(0, 9),
)
def test_whatever_is_sent_the_memory_is_bounded_and_shared(
    sent: list[tuple[int, str, int, int]], kept: int
) -> None:
    campaigns = Campaigns(CampaignLimits(campaigns=kept))
    room, people = max(2, kept), 4

    for seed, sender, number, quarter in sent:
        text = new_text(seed % 24) if seed < 24 else Fingerprint(seed, None)
        campaigns.reaches(text, sender, people, SOMEBODY + number, quarter * HOUR / 4)

        all_kept = list(campaigns._by_slot.values())
        large = [one for one in all_kept if one.is_large]
        assert len(all_kept) == len(campaigns) <= room
        assert len(campaigns._free) == room - len(campaigns)
        assert len(campaigns._large) == len(large) <= room - max(1, room // 4)
        assert len(campaigns._small) == len(all_kept) - len(large)
        assert sum(len(one.aliases) for one in all_kept) == len(campaigns._by_skeleton)
        assert all(one in one.among for one in all_kept)


@given(
    st.integers(1, 6),
    st.lists(
        st.tuples(
            st.sampled_from([OFFER, LOAN, "您的验证码"]),
            st.integers(0, 9),
            st.integers(0, 12),
        ),
        max_size=60,
    ),
)
def test_a_campaign_is_told_of_from_so_many_people_on(
    people: int, sent: list[tuple[str, int, int]]
) -> None:
    senders = Senders(Campaigns(), people)
    got: Counter[str] = Counter()
    last: dict[tuple[str, int], int] = {}

    for text, person, quarter in sorted(sent, key=lambda one: one[2]):
        last[text, person] = quarter
        got = Counter(of for (of, _), at in last.items() if at > quarter - 4)
        campaign = senders.send(text, to=SOMEBODY + person, now=quarter * HOUR / 4)

        assert (campaign is not None) is (got[text] >= people)


def test_a_campaign_that_goes_on_is_told_in_every_window_that_it_fills() -> None:
    senders = Senders(Campaigns(), people=3)

    ids = [senders.send(OFFER, SOMEBODY + number, number * HOUR / 20) for number in range(100)]

    assert ids[:2] == [None, None]
    assert None not in ids[2:]
    assert len(set(ids[2:])) == 1


def test_a_clock_that_is_put_right_after_being_far_ahead_begins_anew() -> None:
    senders = Senders(Campaigns(), people=3)
    for number in range(5):
        senders.send(OFFER, to=SOMEBODY + number, now=900 * HOUR)

    assert senders.send(OFFER, to=SOMEBODY) is None
