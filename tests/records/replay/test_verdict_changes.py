"""Which recorded verdicts other rules would change, message by message."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.consent import Answer
from gateway.domain.policy import (
    ROLLING_DAY,
    Clock,
    CountDimension,
    Enforcement,
    KeywordList,
    Limit,
    ListAction,
)
from gateway.domain.preferences import Preference, PreferenceAction, PreferenceKind, packed
from gateway.domain.records import Why
from gateway.domain.verdict import Action
from gateway.policy.bundle import Bundle, Override, Rule
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import TooOften
from gateway.policy.checks.user_preference import UserPreference
from gateway.policy.knowledge import Knowledge
from gateway.records.record_replay import Replayer, ReplayTally, VerdictChange
from gateway.records.replay_judge import Judge
from gateway.records.replay_reader import ReplayOutcome, UnchangedReason
from simulators import builders
from tests.records.replay.conftest import (
    AT,
    BARE,
    BUNDLE,
    CLEAN,
    DAY_S,
    DAYTIME,
    DUBIOUS,
    MARKETING,
    NEWS,
    NOTED,
    SERVICE,
    SPAM,
    SUBSCRIBER,
    Traffic,
    advert,
    renamed,
    rule,
)

EVERYTHING = frozenset(TrafficClass)
R21 = rule("R21", OptOut())
R40 = rule("R40", OutsideWindow(DAYTIME), action=Action.DEFER)
R42 = rule("R42", TooOften((Limit((CountDimension.DESTINATION,), 2, Clock.DAY),)))
R50 = rule("R50", UserPreference(), applies_to=EVERYTHING)
OTHER = "13900139000"
FORWARD = ReplayOutcome("forward", "")


def without(list_id: str) -> Bundle:
    """Return the bundle without one of its lists."""
    lists = tuple(words for words in BUNDLE.keyword_lists if words.id != list_id)
    return renamed(replace(BUNDLE, keyword_lists=lists))


def refused(traffic: Traffic, number: str, scope: str = "sp1") -> None:
    traffic.knowledge.consent.apply(int(f"86{number}"), scope, Answer.REFUSED)


def changes(tally: ReplayTally) -> dict[tuple[str, str], int]:
    """Return how often what was recorded would become something else, in short words."""
    return {
        (" ".join(change.old).strip(), " ".join(change.new).strip()): found.count
        for change, found in tally.by_rule.items()
        if change is not None
    }


@pytest.fixture
def textless(tmp_path: Path) -> Traffic:
    return Traffic(tmp_path, keeps_texts=False)


def test_a_rule_that_is_new_stops_what_passed(traffic: Traffic) -> None:
    traffic.send(advert(), advert(to=OTHER))
    refused(traffic, OTHER)

    tally = traffic.replayed(renamed(BUNDLE, R21))

    assert changes(tally) == {("forward", "reject R21"): 1}
    assert (tally.decisions, tally.judged, tally.changed) == (2, 2, 1)
    assert (tally.stopped, tally.passed) == (1, 0)


def test_a_list_that_is_gone_lets_its_words_pass(traffic: Traffic) -> None:
    traffic.send(advert(SPAM), advert(DUBIOUS), advert(CLEAN))

    tally = traffic.replayed(without("K-FRAUD"))

    assert changes(tally) == {("reject K-FRAUD", "forward"): 1}
    assert (tally.stopped, tally.passed) == (0, 1)


def test_a_list_that_is_held_to_another_action_changes_it(traffic: Traffic) -> None:
    lists = tuple(replace(words, action=ListAction.QUARANTINE) for words in BUNDLE.keyword_lists)
    traffic.send(advert(SPAM), advert(DUBIOUS), advert(NOTED))

    tally = traffic.replayed(renamed(replace(BUNDLE, keyword_lists=lists)))

    assert changes(tally) == {
        ("reject K-FRAUD", "quarantine K-FRAUD"): 1,
        ("shadow K-NOTE", "quarantine K-NOTE"): 1,
    }
    assert (tally.stopped, tally.passed) == (1, 0)
    assert tally.by_action == {("reject", "quarantine"): 1, ("shadow", "quarantine"): 1}


def test_a_rule_on_trial_changes_what_is_noted_and_stops_nothing(traffic: Traffic) -> None:
    traffic.send(advert(BARE))

    tally = traffic.replayed(renamed(BUNDLE, rule("R30", NoOptoutHint(), mode=Enforcement.SHADOW)))

    assert changes(tally) == {("forward", "shadow R30"): 1}
    assert (tally.changed, tally.stopped) == (1, 0)


def test_frequencies_count_by_the_time_of_the_records(traffic: Traffic) -> None:
    for after_s in (0, 60, 60, DAY_S, 60, 60):
        traffic.send(advert(), after_s=after_s)

    tally = traffic.replayed(renamed(BUNDLE, R42))

    assert changes(tally) == {("forward", "reject R42"): 2}
    assert [sample.line for sample in next(iter(tally.by_rule.values())).samples] == [4, 4]


def test_what_was_counted_once_is_counted_so_again(tmp_path: Path) -> None:
    traffic = Traffic(tmp_path, replace(BUNDLE, rules=(R42,)))
    traffic.send(*[advert()] * 4, *[advert(SPAM, to=OTHER)] * 4, advert(to=OTHER))

    tally = traffic.replayed(renamed(traffic.bundle))

    assert (tally.changed, tally.judged) == (0, 9)


def test_numbers_that_follow_each_other_are_found_in_the_records(traffic: Traffic) -> None:
    traffic.send(*(advert(to=f"1380013800{digit}") for digit in range(5)))

    tally = traffic.replayed(renamed(BUNDLE, rule("R28", NumberWalk(4, timedelta(minutes=1)))))

    assert changes(tally) == {("forward", "reject R28"): 2}


def test_rates_are_not_asked_for_a_replay_is_faster_than_traffic(traffic: Traffic) -> None:
    traffic.send(*[advert()] * 5)

    tally = traffic.replayed(renamed(BUNDLE, rule("R44", TooFast(1, 1))))

    assert tally.changed == 0


def test_messages_come_at_the_hour_of_their_records(traffic: Traffic) -> None:
    traffic.send(advert())
    traffic.send(advert(), after_s=6 * 3600)

    tally = traffic.replayed(renamed(BUNDLE, R40))

    assert changes(tally) == {("forward", "defer R40"): 1}


def test_a_rule_that_would_hold_one_of_many_destinations_refuses_it(tmp_path: Path) -> None:
    traffic = Traffic(tmp_path, replace(BUNDLE, rules=(replace(R21, action=Action.QUARANTINE),)))
    refused(traffic, OTHER)
    many = builders.submit_multi(MARKETING, [SUBSCRIBER, OTHER], builders.ucs2(CLEAN))
    traffic.send(many)

    assert changes(traffic.replayed(renamed(traffic.bundle))) == {}
    assert changes(traffic.replayed(renamed())) == {("reject R21", "forward"): 1}


def test_words_hold_a_message_to_many_as_a_whole(traffic: Traffic) -> None:
    many = builders.submit_multi(MARKETING, [SUBSCRIBER, OTHER], builders.ucs2(DUBIOUS))
    traffic.send(many)

    assert changes(traffic.replayed(renamed())) == {}
    assert changes(traffic.replayed(without("K-LOAN"))) == {("quarantine K-LOAN", "forward"): 2}


def test_what_is_noted_of_one_of_many_destinations_is_no_change_for_the_others(
    tmp_path: Path,
) -> None:
    on_trial = replace(R21, mode=Enforcement.SHADOW)
    traffic = Traffic(tmp_path, replace(BUNDLE, rules=(on_trial,)))
    refused(traffic, OTHER)
    traffic.send(builders.submit_multi(MARKETING, [SUBSCRIBER, OTHER], builders.ucs2(CLEAN)))

    assert changes(traffic.replayed(renamed(traffic.bundle))) == {}


def test_a_new_text_for_a_message_is_read_in_every_alphabet_it_may_be_in(
    traffic: Traffic,
) -> None:
    # No message is read as Hangul in UCS-2 unless its data_coding says so.
    bet = KeywordList("K-BET", "gambling", ListAction.QUARANTINE, ("도박사이트",))
    traffic.send(builders.replace_sm("41", MARKETING, builders.ucs2("도박사이트 오세요")))

    tally = traffic.replayed(renamed(replace(BUNDLE, keyword_lists=(bet,))))

    # Held it would be nobody's message, so it is refused.
    assert changes(tally) == {("forward", "reject K-BET"): 1}


def test_a_text_the_filter_fails_on_is_held_as_in_the_gateway(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic.send(advert())
    judge = Judge(renamed(), (), Knowledge())

    def fail(_texts: object) -> object:
        raise RuntimeError

    monkeypatch.setattr(type(judge._rules.scan.index), "search_views", fail)

    assert changes(traffic.replayed(renamed())) == {("forward", "quarantine CONTENT"): 1}


def test_an_sp_that_is_gone_is_not_judged(traffic: Traffic) -> None:
    traffic.send(advert())
    traffic.write(
        b'{"kind":"decision","at":"2023-11-14T22:13:20.000Z","session":1,"system_id":"old",'
        b'"command_id":4,"sequence_number":1,"source":"10690001","destination":"13800138000",'
        b'"action":"forward","reason":"","rule":"","status":"","digest":"","gateway_id":0}'
    )

    tally = traffic.replayed(without("K-FRAUD"))

    assert tally.kept == {UnchangedReason.SENDER_GONE: 1}
    assert (tally.decisions, tally.judged) == (2, 1)


@pytest.mark.parametrize("reason", ["RATE", "OVERLOADED", "MALFORMED", "CONSENT_UNCHECKED"])
def test_what_hung_on_the_moment_stays(traffic: Traffic, reason: str) -> None:
    addresses = (MARKETING.encode(), SUBSCRIBER.encode())
    why = Why("reject", reason, "X", "ESME_X", "")
    traffic.keep([("d", AT, (1, "sp1", 4), 1, *addresses, why, 0, None)])

    tally = traffic.replayed(renamed())

    assert (tally.changed, tally.kept) == (0, {UnchangedReason.OF_THE_MOMENT: 1})


def test_under_the_policy_that_judged_it_another_verdict_is_none_of_its_doing(
    tmp_path: Path,
) -> None:
    traffic = Traffic(tmp_path, replace(BUNDLE, rules=(R21,)))
    traffic.send(advert())
    refused(traffic, SUBSCRIBER)

    tally = traffic.replayed(traffic.bundle)

    assert (tally.changed, tally.kept) == (0, {UnchangedReason.SAME_POLICY: 1})
    assert changes(traffic.replayed(renamed(traffic.bundle))) == {("forward", "reject R21"): 1}


def test_of_two_bundles_only_what_they_say_makes_a_difference(traffic: Traffic) -> None:
    traffic.send(advert(), advert(SPAM))
    refused(traffic, SUBSCRIBER)
    old = replace(BUNDLE, rules=(R21,))

    assert changes(traffic.replayed(renamed(old), old)) == {}
    assert changes(traffic.replayed(renamed(), old)) == {
        ("reject R21", "forward"): 1,
        ("reject R21", "reject K-FRAUD"): 1,
    }


def test_of_two_bundles_it_does_not_matter_which_of_them_judged_the_records(
    traffic: Traffic,
) -> None:
    traffic.send(advert())
    refused(traffic, SUBSCRIBER)

    assert changes(traffic.replayed(BUNDLE, renamed(BUNDLE, R21))) == {("reject R21", "forward"): 1}


def test_two_bundles_count_for_themselves(traffic: Traffic) -> None:
    traffic.send(*[advert()] * 4)
    three = replace(R42, check=TooOften((Limit((CountDimension.DESTINATION,), 3, Clock.DAY),)))

    tally = traffic.replayed(renamed(BUNDLE, R42), renamed(BUNDLE, three))

    assert changes(tally) == {("forward", "reject R42"): 1}


# Without texts.


def test_without_texts_addresses_are_asked(textless: Traffic) -> None:
    textless.send(advert(), advert(to=OTHER))
    refused(textless, OTHER)

    tally = textless.replayed(renamed(BUNDLE, R21))

    assert changes(tally) == {("forward", "reject R21"): 1}
    assert tally.unseen == 2


def test_without_texts_a_port_that_is_owned_by_now_may_send(textless: Traffic) -> None:
    addresses = (SERVICE.encode(), SUBSCRIBER.encode())
    why = Why("reject", "SOURCE_NOT_OWNED", "R02", "ESME_RINVSRCADR", "")
    textless.keep([("d", AT, (1, "sp1", 4), 1, *addresses, why, 0, None)])

    assert changes(textless.replayed(renamed())) == {("reject R02", "forward"): 1}


def test_without_texts_one_of_many_destinations_is_refused_rather_than_held(
    tmp_path: Path,
) -> None:
    held = replace(BUNDLE, rules=(replace(R21, action=Action.QUARANTINE),))
    traffic = Traffic(tmp_path, held, keeps_texts=False)
    refused(traffic, OTHER)
    traffic.send(builders.submit_multi(MARKETING, [SUBSCRIBER, OTHER], builders.ucs2(CLEAN)))

    assert changes(traffic.replayed(renamed(held))) == {}


def test_without_texts_what_words_did_stays(textless: Traffic) -> None:
    textless.send(advert(SPAM), advert(DUBIOUS), advert(NOTED), advert())

    tally = textless.replayed(renamed(replace(BUNDLE, keyword_lists=())))

    assert (tally.changed, tally.kept, tally.unseen) == (0, {UnchangedReason.TEXT_NOT_KEPT: 3}, 1)


def test_without_texts_an_address_still_outdoes_what_words_did(textless: Traffic) -> None:
    textless.send(advert(SPAM))
    refused(textless, SUBSCRIBER)

    assert changes(textless.replayed(renamed(BUNDLE, R21))) == {("reject K-FRAUD", "reject R21"): 1}


def test_without_texts_nothing_is_missed_in_a_text(textless: Traffic) -> None:
    textless.send(advert(BARE))

    assert textless.replayed(renamed(BUNDLE, rule("R30", NoOptoutHint()))).changed == 0


def test_without_texts_what_hung_on_the_class_of_one_stays(tmp_path: Path) -> None:
    """A service port is taken at its word, unless the text showed that it advertises."""
    traffic = Traffic(tmp_path, replace(BUNDLE, rules=(R21,)), keeps_texts=False)
    refused(traffic, SUBSCRIBER)
    traffic.send(advert(NEWS, source=SERVICE), advert(CLEAN, source=SERVICE), advert())

    tally = traffic.replayed(renamed())

    assert changes(tally) == {("reject R21", "forward"): 1}
    assert (tally.judged, tally.kept) == (2, {UnchangedReason.TEXT_NOT_KEPT: 1})


def test_without_texts_what_passed_is_counted_and_what_was_stopped_is_not(tmp_path: Path) -> None:
    traffic = Traffic(tmp_path, replace(BUNDLE, rules=(R42,)), keeps_texts=False)
    traffic.send(advert(SPAM), advert(SPAM), advert(NOTED), advert(), advert())

    tally = traffic.replayed(renamed(traffic.bundle))

    assert (tally.changed, tally.kept) == (0, {UnchangedReason.TEXT_NOT_KEPT: 3})
    assert tally.judged == 2


def test_without_texts_preferences_that_a_word_of_it_overrules_are_not_asked(
    textless: Traffic,
) -> None:
    allows = Preference(PreferenceKind.KEYWORD, "包裹", PreferenceAction.ALLOW)
    blocks = Preference(PreferenceKind.CLASS, "service", PreferenceAction.BLOCK)
    textless.knowledge.preferences.load([(int(f"86{SUBSCRIBER}"), packed((allows, blocks)))])
    textless.send(*[advert(NEWS, source=SERVICE)] * 3)

    tally = textless.replayed(
        renamed(BUNDLE, R50, replace(R42, applies_to=EVERYTHING, mode=Enforcement.ENFORCE))
    )

    # The third is over the limit: what passed was counted.
    assert changes(tally) == {("forward", "reject R42"): 1}
    assert tally.kept == {UnchangedReason.TEXT_NOT_KEPT: 2}


def test_without_texts_a_bundle_to_compare_with_says_what_was_recorded(textless: Traffic) -> None:
    """What neither bundle can see was found in the text by the one that judged it."""
    textless.send(advert(SPAM))
    refused(textless, SUBSCRIBER)

    tally = textless.replayed(renamed(BUNDLE, R21), BUNDLE)

    assert changes(tally) == {("reject K-FRAUD", "reject R21"): 1}


def test_how_far_back_counts_is_told_by_the_limits() -> None:
    rolling = rule("R43", TooOften((Limit((CountDimension.DESTINATION,), 2, ROLLING_DAY),)))
    off = replace(rolling, mode=Enforcement.OFF)
    partly = replace(off, overrides=(Override(Enforcement.SHADOW, sender="sp1"),))
    walk = rule("R28", NumberWalk(4, timedelta(minutes=1)))

    def memory_s(*rules: Rule) -> float:
        judge = Judge(renamed(BUNDLE, *rules), (), Knowledge())
        assert Replayer(Judge(BUNDLE, (), Knowledge()), judge).memory_s == judge.memory_s
        return judge.memory_s

    assert memory_s() == memory_s(R21, off) == 0
    assert memory_s(walk, off) == 60
    assert memory_s(walk, R42) == memory_s(rolling) == memory_s(partly) == DAY_S


def test_a_change_names_the_old_and_the_new_outcome() -> None:
    change = VerdictChange(ReplayOutcome("shadow", "R30"), FORWARD)

    assert change.old.passes
    assert change.new.passes
    assert not ReplayOutcome("defer", "R40").passes
