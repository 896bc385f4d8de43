import pytest

from gateway.domain.policy import Enforcement, KeywordList, ListAction
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.check import Check
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.public_interest import PublicInterest
from gateway.settings.bundles.difference import missing_senders, shrunk


def bundle(**words: int | range) -> Bundle:
    """Return a bundle of lists with so many words, or with the numbered words of a range."""
    return Bundle(
        "test",
        "0" * 12,
        tuple(
            KeywordList(
                list_id,
                "fraud",
                ListAction.REJECT,
                tuple(f"词{n}" for n in (range(count) if isinstance(count, int) else count)),
            )
            for list_id, count in words.items()
        ),
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (bundle(), bundle()),
        (bundle(), bundle(a=9)),
        (bundle(a=10), bundle(a=10)),
        (bundle(a=10), bundle(a=5)),
        (bundle(a=10), bundle(a=200, b=1)),
        (bundle(a=range(3_000)), bundle(a=range(2_999, -1, -1))),
        (bundle(a=range(3_000)), bundle(a=range(1_500, 4_500))),
    ],
)
def test_growth_and_small_losses_pass(old: Bundle, new: Bundle) -> None:
    assert shrunk(old, new) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (bundle(a=10), bundle(a=4), "a lost 6 of 10 words"),
        (bundle(a=10, b=2), bundle(b=2), "a lost 10 of 10 words"),
        (bundle(a=10, b=2), bundle(), "a lost 10 of 10 words; b lost 2 of 2 words"),
        (bundle(a=10), bundle(a=range(100, 200)), "a lost 10 of 10 words"),
    ],
)
def test_a_list_that_lost_most_of_its_words_is_named(old: Bundle, new: Bundle, said: str) -> None:
    assert shrunk(old, new) == said


def test_the_share_may_be_chosen() -> None:
    assert shrunk(bundle(a=10), bundle(a=8), share=0.1) == "a lost 2 of 10 words"
    assert shrunk(bundle(a=10), bundle(), share=1) is None


def ruled(check: Check | None = None, **modes: str) -> Bundle:
    """Return a bundle of rules in these modes."""
    rules = (
        Rule(id_, Title("规则", "Rule"), "A", check or OptOut(), Enforcement(mode))
        for id_, mode in modes.items()
    )
    return Bundle("test", "0" * 12, rules=tuple(rules))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ruled(a="enforce"), ruled(a="enforce", b="off")),
        (ruled(a="shadow"), ruled(a="enforce")),
        (ruled(a="shadow"), ruled(a="off")),
        (ruled(a="shadow", b="off"), ruled(a="shadow")),
        (ruled(PublicInterest(frozenset("x")), a="enforce"), ruled(a="off")),
    ],
)
def test_rules_may_come_and_some_that_stop_nothing_may_go(old: Bundle, new: Bundle) -> None:
    assert shrunk(old, new) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (ruled(a="shadow", b="off", c="off"), ruled(a="shadow"), "2 of 3 rules are gone"),
        (ruled(a="enforce"), ruled(a="shadow"), "a was enforced and is shadow"),
        (ruled(a="enforce"), ruled(a="off"), "a was enforced and is off"),
        (
            ruled(a="enforce", b="off", c="off"),
            ruled(b="off", c="off"),
            "a was enforced and is gone",
        ),
        (
            ruled(a="enforce"),
            ruled(),
            "1 of 1 rules are gone; a was enforced and is gone",
        ),
    ],
)
def test_rules_that_are_gone_or_enforced_no_more_are_named(
    old: Bundle, new: Bundle, said: str
) -> None:
    assert shrunk(old, new) == said


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("abcd", "a", "senders.yaml lost 3 of 4 senders"),
        ("abcd", "ab", None),
        ("abc", "", None),
        ("abcd", "wxyz", "senders.yaml lost 4 of 4 senders"),
        ("", "abcd", None),
    ],
)
def test_half_a_list_of_senders_is_an_accident(before: str, after: str, said: str | None) -> None:
    assert missing_senders(before, after) == said
