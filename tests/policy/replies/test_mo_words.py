"""The words of replies, however they are spelt."""

from gateway.policy.replies.mo_words import SHIPPED_WORDS, MoWords, key_of


def test_words_are_kept_as_they_are_compared() -> None:
    words = MoWords(opt_out=frozenset({"Opt-Out", "退 訂", "ＴＤ"}))

    assert words.opt_out == {"optout", "退订", "td"}


def test_a_word_of_nothing_that_can_be_compared_is_left_out() -> None:
    assert MoWords(help=frozenset({"?", "HELP", ""})).help == {"help"}


def test_the_shipped_lists_hold_what_the_rules_name() -> None:
    cn = "TD TDD QX 退 退订 退訂 退定 取消 取消订阅 拒收 拒绝接收 不再接收"
    international = "STOP UNSUBSCRIBE CANCEL END QUIT REVOKE OPT-OUT OPTOUT REMOVE ARRET"

    assert SHIPPED_WORDS.opt_out >= {key_of(word) for word in f"{cn} {international}".split()}
    assert SHIPPED_WORDS.opt_out_all >= {"00000", "stopall"}
    assert SHIPPED_WORDS.restore >= {"hf", "恢复", "start", "unstop", "subscribe"}


def test_no_word_means_two_things() -> None:
    words = SHIPPED_WORDS
    lists = [words.opt_out, words.opt_out_all, words.listing, words.restore, words.help]
    answers = [words.confirm, words.refuse]

    assert sum(map(len, lists)) == len(frozenset().union(*lists))
    assert sum(map(len, answers)) == len(frozenset().union(*answers))


def test_what_agrees_is_no_courtesy() -> None:
    assert SHIPPED_WORDS.confirm.isdisjoint(SHIPPED_WORDS.courtesies)
