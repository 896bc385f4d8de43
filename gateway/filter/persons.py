"""What a classifier says of texts that personal numbers send: what people write, not ports."""

from collections.abc import Iterable
from itertools import islice

from gateway.filter.facts import TextFacts
from gateway.filter.model.classes import TextClass
from gateway.filter.text_score import Scorer, TextScore


def score_as_personal(texts: Iterable[TextFacts], scorer: Scorer) -> None:
    """Note in each text what is said of it if a person wrote it; cheapest for many at once.

    Raises what `scorer` raises; what it was asked about is not noted then.
    """
    asked = []
    for facts in dict.fromkeys(texts):
        if facts.scored is not None and not any(map(_is_of_port, facts.scored)):
            facts.personal = facts.scored  # it is foreign, whoever sends it
        else:
            asked.append(facts)
    if asked:
        views = [view for facts in asked for view in facts.seen()]
        found = iter(scorer.score(views, is_port=False))
        for facts in asked:
            facts.personal = tuple(islice(found, len(facts.texts)))


def _is_of_port(one: TextScore) -> bool:
    return one.text_class is TextClass.PORT
