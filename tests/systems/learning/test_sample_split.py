from hypothesis import given
from hypothesis import strategies as st

from gateway.systems.learning.samples import Sample, SampleSplit, leaked, sample_of, with_verdicts

LOAN = "急用钱不用愁，凭身份证当天到账，额度高利息低，客服{}"
COURSE = "雅思冲分班本周末开课，名师小班教学，报名热线{}"
NOTICE = "您预约的体检时间为明早八点，请空腹到院，咨询电话{}"
# The same offer in a few other words.
LOAN_AGAIN = "急用钱不用愁！凭身份证当天到账，额度更高利息低，详询{}"


def spam(text: str, number: int = 1) -> Sample:
    return sample_of(f"spam\tzh\tverdicts/loan\t{text.format(f'{number:011}')}")


def ham(text: str, number: int = 1) -> Sample:
    return sample_of(f"ham\tzh\tverdicts\t{text.format(f'{number:011}')}")


def texts(samples: list[Sample]) -> list[str]:
    return [one.text.raw for one in samples]


def test_a_verdict_counts_as_several_texts_of_a_collection() -> None:
    verdict, file = spam(LOAN), ham(NOTICE)

    added = with_verdicts([verdict], [file], [], weight=3, holds_out=False)

    assert added == SampleSplit([file, verdict, verdict, verdict], [], 1, 0, 0)


def test_a_campaign_that_is_measured_on_is_not_trained_on() -> None:
    verdicts = [spam(LOAN_AGAIN), spam(COURSE)]

    added = with_verdicts(verdicts, [], [spam(LOAN, 2)], weight=1, holds_out=False)

    assert texts(added.train) == texts([verdicts[1]])
    assert (added.added, added.left_out) == (1, 1)


def test_a_verdict_that_is_like_one_that_is_measured_on_stays_out_with_it() -> None:
    first = "双十一全场五折起，满三百减五十，会员另享九折，活动仅限三天，先到先得，门店地址见官网"
    middle = "双十一全场五折起，满三百减五十，会员另享九折，活动仅限三天，先到先得，回复领券更优惠"
    last = "周年庆典新品七折起，满五百减九十，会员另享九折，活动仅限三天，先到先得，回复领券更优惠"

    alone = with_verdicts([spam(last)], [], [spam(first)], weight=1, holds_out=False)
    together = with_verdicts(
        [spam(last), spam(middle)], [], [spam(first)], weight=1, holds_out=False
    )

    assert (alone.added, alone.left_out) == (1, 0)
    assert (together.added, together.left_out) == (0, 2)


def test_a_campaign_that_is_trained_on_is_never_measured_on() -> None:
    candidates = (spam(f"{chr(0x5000 + 97 * at)}记家具厂房到期，全场清货{{}}") for at in range(200))
    tenth = next(
        one for one in candidates if with_verdicts([one], [], [], holds_out=True).held_out == [one]
    )

    added = with_verdicts([tenth], [tenth], [], weight=1, holds_out=True)

    assert (added.added, added.held_out) == (1, [])


def test_every_tenth_campaign_of_verdicts_is_measured_on_where_files_are_parted_too() -> None:
    verdicts = [
        ham("".join(chr(0x5000 + 97 * at + step) for step in range(12))) for at in range(200)
    ]

    added = with_verdicts(verdicts, [], [], weight=1, holds_out=True)
    none = with_verdicts(verdicts, [], [], weight=1, holds_out=False)

    assert 8 <= len(added.held_out) <= 35
    assert added.added + len(added.held_out) == 200
    assert none.held_out == []


def test_verdicts_on_one_campaign_are_of_one_group() -> None:
    verdicts = [spam(LOAN), ham(NOTICE), spam(LOAN_AGAIN, 7)]

    with_verdicts(verdicts, [], [], holds_out=False)

    first, notice, again = (one.group for one in verdicts)
    assert first == again
    assert notice not in {first, ""}


def test_one_campaign_does_not_outweigh_all_others() -> None:
    verdicts = [spam(LOAN + "，" * at, at) for at in range(30)]

    added = with_verdicts(verdicts, [], [], weight=1, holds_out=False)

    assert texts(added.train) == texts(verdicts[:20])
    assert (added.added, added.repeated) == (20, 10)


def test_short_texts_are_of_one_campaign_only_when_they_are_the_same() -> None:
    verdicts = [ham("好的收到"), ham("马上就到")]

    added = with_verdicts(verdicts, [], [ham("马上就到")], weight=1, holds_out=False)

    assert texts(added.train) == ["好的收到"]


def test_a_short_offer_is_found_again_with_other_numbers() -> None:
    added = with_verdicts(
        [spam("清仓特价加Q{}", 7000)], [], [spam("清仓特价，加Q{}", 1234)], holds_out=False
    )

    assert (added.added, added.left_out) == (0, 1)


def test_without_verdicts_nothing_changes() -> None:
    file, dev = [spam(LOAN)], [ham(NOTICE)]

    assert with_verdicts([], file, dev, holds_out=True) == SampleSplit(file, dev, 0, 0, 0)


OFFERS = st.lists(
    st.tuples(st.sampled_from([LOAN, LOAN_AGAIN, COURSE, NOTICE]), st.integers(0, 99)), max_size=30
)


@given(said=OFFERS, files=OFFERS, holds_out=st.booleans())
def test_no_text_is_both_trained_and_measured_on(
    said: list[tuple[str, int]], files: list[tuple[str, int]], *, holds_out: bool
) -> None:
    verdicts = [spam(text, number) for text, number in said]
    measured = [spam(text, number) for text, number in files]

    added = with_verdicts(verdicts, [], measured, weight=2, holds_out=holds_out)

    assert leaked(added.train, added.held_out) == 0
    more_to_measure = len(added.held_out) - len(measured)
    assert added.added + added.left_out + added.repeated + more_to_measure == len(verdicts)
    assert len(added.train) == 2 * added.added
