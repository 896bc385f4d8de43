"""The words of replies, however they are spelt."""

from gateway.policy.replies import (
    CONFIRM,
    COURTESIES,
    HELP,
    LISTING,
    OPT_OUT,
    OPT_OUT_ALL,
    REFUSE,
    RESTORE,
    key_of,
)


def test_words_are_compared_whatever_their_spelling() -> None:
    assert list(map(key_of, ("Opt-Out", "退 訂", "ＴＤ", "?"))) == ["optout", "退订", "td", ""]


def test_the_shipped_lists_hold_what_the_rules_name() -> None:
    cn = "TD TDD QX 退 退订 退訂 退定 取消 取消订阅 拒收 拒绝接收 不再接收"
    international = "STOP UNSUBSCRIBE CANCEL END QUIT REVOKE OPT-OUT OPTOUT REMOVE ARRET"

    assert {key_of(word) for word in f"{cn} {international}".split()} <= OPT_OUT
    assert {"00000", "stopall"} <= OPT_OUT_ALL
    assert {"hf", "恢复", "start", "unstop", "subscribe"} <= RESTORE


def test_no_word_means_two_things() -> None:
    lists = [OPT_OUT, OPT_OUT_ALL, LISTING, RESTORE, HELP]
    answers = [CONFIRM, REFUSE]

    assert sum(map(len, lists)) == len(frozenset().union(*lists))
    assert sum(map(len, answers)) == len(frozenset().union(*answers))


def test_what_agrees_is_no_courtesy() -> None:
    assert CONFIRM.isdisjoint(COURTESIES)
