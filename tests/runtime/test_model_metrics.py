from gateway.runtime.metrics import model_families
from gateway.runtime.snapshot import ModelsHealth


def test_scrapes_tell_which_models_stand_and_what_they_dispute() -> None:
    texts = {("port", "only_shadow"): 7, ("person", "both"): 2}
    health = ModelsHealth("a1", "b2", texts, {("port", "only_shadow"): 40}, 3)

    told = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in model_families(health)
        for sample in family.samples
    }

    assert told == {
        ("smsward_models_info", ("a1", "b2")): 1,
        ("smsward_model_texts_total", ("port", "only_shadow")): 7,
        ("smsward_model_texts_total", ("person", "both")): 2,
        ("smsward_model_messages_total", ("port", "only_shadow")): 40,
        ("smsward_model_shadow_failures_total", ()): 3,
    }


def test_without_models_there_is_nothing_to_compare() -> None:
    families = {family.name: family.samples for family in model_families(ModelsHealth())}

    assert families["smsward_model_texts"] == families["smsward_model_messages"] == []
    assert families["smsward_models"][0].labels == {"active": "", "shadow": ""}
