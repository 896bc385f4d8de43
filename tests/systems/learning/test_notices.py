import re
from collections import Counter

import numpy as np

from gateway.filter.classifier.score import TextClass, class_of
from gateway.filter.normalise.views import Views
from gateway.systems.learning import notices
from gateway.systems.learning.evaluation import NOTICES
from gateway.systems.learning.notices import innocent_notices


def made(count: int, seed: int = 1) -> list[str]:
    return innocent_notices(count, np.random.default_rng(seed))


def test_every_form_is_filled_and_none_is_left_out() -> None:
    texts = made(3 * len(notices._FORMS))

    assert not [text for text in texts if re.search("[{}]", text)]
    fixed = [max(re.split(r"\{\w+\}", form), key=len) for form in notices._FORMS]
    assert all(any(piece in text for text in texts) for piece in fixed)


def test_there_are_codes_bank_and_courier_notices_among_them() -> None:
    texts = made(300)

    counts = Counter(
        kind for text in texts for kind, pattern in NOTICES.items() if pattern.search(text)
    )
    assert min(counts[kind] for kind in NOTICES) > 20


def test_they_are_read_as_what_ports_send() -> None:
    assert {class_of(Views(text)) for text in made(200)} == {TextClass.PORT}


def test_no_two_draws_are_the_same_and_each_can_be_repeated() -> None:
    assert made(50) == made(50)
    assert made(50) != made(50, seed=2)
    assert len(set(made(500))) > 450


def test_none_and_a_few_can_be_had() -> None:
    assert made(0) == []
    assert len(made(7)) == 7


def test_telephone_numbers_are_of_a_range_that_is_kept_for_examples() -> None:
    found = re.findall(r"(?<!\d)1[3-9]\d{9}(?!\d)", "\n".join(made(600)))

    assert found
    assert all(number.startswith("1380013") for number in found)
