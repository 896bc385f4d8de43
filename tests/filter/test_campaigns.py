"""The same text to many people, as it is and changed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.campaigns import CampaignLimits, Campaigns, CampaignSeen
from gateway.filter.fingerprints import fingerprint_of
from gateway.filter.views import views

OFFER = "春晓书店周年店庆,全场图书低至三折,凭短信到店再送书签一枚,回t退订"
LOAN = "无需抵押无需担保,当天放款,额度高利息低,有意请联系客服经理,回t退订"
SOMEBODY = 8613800138000
HOUR = 3_600.0


def see(campaigns: Campaigns, text: str, **changes: object) -> CampaignSeen:
    sender = str(changes.get("sender", "sp1"))
    recipient, now = changes.get("to", SOMEBODY), changes.get("now", 0.0)
    assert isinstance(recipient, int)
    assert isinstance(now, float)
    return campaigns.see(
        fingerprint_of(views(text).sound),
        sender,
        recipient,
        now,
        has_consent=bool(changes.get("consent")),
    )


def shuffled_letters(seed: int) -> str:
    letters = [chr(code) for code in range(0x4E00, 0x5E00)]
    return "".join(random.Random(seed).sample(letters, 40))  # noqa: S311 - texts, no secret


def test_the_same_text_to_many_people_is_one_campaign() -> None:
    campaigns = Campaigns()
    seen = [see(campaigns, OFFER, to=SOMEBODY + number) for number in range(20)]

    assert {one.id for one in seen} == {seen[0].id}
    assert [one.recipients for one in seen] == list(range(1, 21))
    assert len(campaigns) == 1


def test_those_without_consent_are_counted_apart() -> None:
    campaigns = Campaigns()
    for number in range(5):
        see(campaigns, OFFER, to=SOMEBODY + number, consent=number < 4)
    seen = see(campaigns, OFFER, to=SOMEBODY + 5)

    assert (seen.recipients, seen.without_consent) == (6, 2)


def test_one_person_who_got_it_often_is_no_crowd() -> None:
    campaigns = Campaigns()
    seen = [see(campaigns, OFFER) for _ in range(50)]

    assert (seen[-1].recipients, seen[-1].without_consent) == (1, 1)


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
    campaigns = Campaigns()
    first = see(campaigns, OFFER)
    second = see(campaigns, changed, to=SOMEBODY + 1)
    again = see(campaigns, changed, to=SOMEBODY + 2)

    assert (second.id, again.id) == (first.id, first.id)
    assert again.recipients == 3


def test_another_text_is_another_campaign() -> None:
    campaigns = Campaigns()

    assert see(campaigns, OFFER).id != see(campaigns, LOAN).id
    assert len(campaigns) == 2


def test_short_texts_are_campaigns_only_when_they_are_the_same() -> None:
    campaigns = Campaigns()

    assert see(campaigns, "速来").id == see(campaigns, "速来").id
    assert see(campaigns, "速来").id != see(campaigns, "速去").id


def test_an_id_is_the_same_after_a_restart() -> None:
    before, after = see(Campaigns(), OFFER), see(Campaigns(), OFFER)

    assert before.id == after.id
    assert before.id.startswith("c")
    assert len(before.id) == 17


def test_senders_of_one_campaign_are_told_apart() -> None:
    campaigns = Campaigns()
    for number in range(3):
        see(campaigns, OFFER, sender="sp1", to=SOMEBODY + number)
    see(campaigns, OFFER, sender="sp2", to=SOMEBODY + 2, consent=True)
    theirs = see(campaigns, OFFER, sender="sp2", to=SOMEBODY + 9)
    ours = see(campaigns, OFFER, sender="sp1", to=SOMEBODY + 1)

    assert theirs[1:] == (2, 4, 4, 2, 1)
    assert ours[1:] == (2, 4, 4, 3, 3)


def test_who_got_it_an_hour_ago_counts_no_more() -> None:
    campaigns = Campaigns()
    for number in range(5):
        see(campaigns, OFFER, to=SOMEBODY + number)
    soon = see(campaigns, OFFER, to=SOMEBODY + 5, now=0.7 * HOUR)
    later = see(campaigns, OFFER, to=SOMEBODY + 6, now=1.1 * HOUR)

    assert (soon.recipients, later.recipients) == (6, 2)
    assert later.id == soon.id


def test_a_sender_who_stopped_is_not_among_the_senders() -> None:
    campaigns = Campaigns()
    see(campaigns, OFFER, sender="sp1")
    see(campaigns, OFFER, sender="sp2")

    assert see(campaigns, OFFER, sender="sp2", now=2 * HOUR).senders == 1


def test_more_senders_than_are_told_apart_still_count_as_recipients() -> None:
    campaigns = Campaigns()
    seen = [
        see(campaigns, OFFER, sender=f"sp{number}", to=SOMEBODY + number) for number in range(20)
    ]

    assert seen[-1][1:] == (16, 20, 20, 1, 1)


def test_senders_who_rest_make_room_for_others() -> None:
    campaigns = Campaigns()
    for number in range(16):
        see(campaigns, OFFER, sender=f"sp{number}", to=SOMEBODY + number)
    see(campaigns, OFFER, sender="sp15", to=SOMEBODY, now=2 * HOUR)
    see(campaigns, OFFER, sender="new", to=SOMEBODY, now=2 * HOUR)
    seen = see(campaigns, OFFER, sender="new", to=SOMEBODY + 1, now=2 * HOUR)

    assert seen[1:] == (2, 2, 2, 2, 2)


def test_without_room_for_senders_the_campaign_is_still_counted() -> None:
    campaigns = Campaigns(CampaignLimits(sender_crowds=0))
    see(campaigns, OFFER, sender="sp1", to=SOMEBODY)
    see(campaigns, OFFER, sender="sp2", to=SOMEBODY + 1)
    seen = see(campaigns, OFFER, sender="sp2", to=SOMEBODY + 2)

    assert seen[1:] == (1, 3, 3, 1, 1)


def test_the_campaign_that_rested_longest_makes_room() -> None:
    campaigns = Campaigns(CampaignLimits(campaigns=3))
    texts = [shuffled_letters(number) for number in range(4)]
    for text in texts[:3]:
        see(campaigns, text, to=SOMEBODY)
    see(campaigns, texts[0], to=SOMEBODY + 1)
    see(campaigns, texts[3])

    assert len(campaigns) == 3
    assert see(campaigns, texts[0], to=SOMEBODY + 2).recipients == 3
    assert see(campaigns, texts[1], to=SOMEBODY + 3).recipients == 1


def test_what_ended_gives_its_senders_rooms_back() -> None:
    campaigns = Campaigns(CampaignLimits(campaigns=1, sender_crowds=1))
    for text in (OFFER, LOAN, OFFER):
        see(campaigns, text, sender="sp1")
        seen = see(campaigns, text, sender="sp2", to=SOMEBODY + 1)
        assert seen.senders == 2


def test_a_text_that_changes_each_time_does_not_fill_the_memory() -> None:
    campaigns = Campaigns()
    marks = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉"
    seen = [see(campaigns, f"{mark}{OFFER}", to=SOMEBODY + ord(mark)) for mark in marks]

    assert seen[-1].recipients == len(marks)
    assert len(campaigns) == 1
    assert len(campaigns._by_skeleton) == 8
    assert int(seen[0].id[1:], 16) in campaigns._by_skeleton


def test_a_short_text_in_the_place_of_an_ended_one_is_not_taken_for_it() -> None:
    campaigns = Campaigns(CampaignLimits(campaigns=1))
    first = see(campaigns, OFFER)
    short = see(campaigns, "速来")
    again = see(campaigns, OFFER)

    assert first.id == again.id != short.id


@given(
    st.lists(
        st.tuples(st.sampled_from([OFFER, LOAN, "速来"]), st.sampled_from("ab"), st.integers(0, 9)),
        max_size=40,
    ),
    st.integers(1, 3),
)
def test_whatever_is_sent_the_memory_is_bounded_and_figures_agree(
    sent: list[tuple[str, str, int]], kept: int
) -> None:
    campaigns = Campaigns(CampaignLimits(campaigns=kept, sender_crowds=3))
    for text, sender, number in sent:
        seen = see(campaigns, text, sender=sender, to=SOMEBODY + number)

        assert 1 <= seen.from_sender <= seen.recipients <= 10
        assert seen.without_consent == seen.recipients
        assert 1 <= seen.senders <= 2
        assert len(campaigns) <= kept


@given(
    st.integers(1, 6),
    st.lists(
        st.tuples(
            st.sampled_from([OFFER, LOAN, "您的验证码"]),
            st.integers(0, 9),
            st.one_of(st.floats(0, HOUR * 3), st.sampled_from([0.0, HOUR / 4, HOUR])),
        ),
        max_size=60,
    ),
)
def test_who_asks_only_whether_so_many_got_it_is_told_what_the_figures_say(
    people: int, sent: list[tuple[str, int, float]]
) -> None:
    counted, asked = Campaigns(), Campaigns()

    for text, person, now in sent:
        seen = see(counted, text, to=SOMEBODY + person, now=now)
        reached = asked.reaches(fingerprint_of(views(text).sound), people, SOMEBODY + person, now)

        assert reached == (seen.id if seen.without_consent >= people else None)


def test_a_campaign_that_goes_on_is_told_in_every_window_that_it_fills() -> None:
    campaigns, offer = Campaigns(), fingerprint_of(views(OFFER).sound)

    told = [
        campaigns.reaches(offer, 3, SOMEBODY + number, number * HOUR / 20) for number in range(100)
    ]

    assert told[:2] == [None, None]
    assert set(told[2:]) == {f"c{offer.skeleton:016x}"}
