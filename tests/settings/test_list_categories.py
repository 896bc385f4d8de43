"""Categories of keyword lists that are none of the tree: which are told, and where they stand."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.directories import stray_categories

WriteBundle = Callable[[Mapping[str, str]], Path]

LIST = "version: 1\nid: K-A\ncategory: {}\naction: {}\nwords: [刷单返利]\n"
ROOT = Path(__file__).parents[2]


def strays(directory: Path) -> list[str]:
    found = stray_categories(load_bundle(directory), directory)
    return [str(one).removeprefix(f"{directory}/") for one in found]


@pytest.mark.parametrize("action", ["reject", "quarantine", "shadow"])
def test_a_slip_for_a_category_is_told_with_what_was_meant(
    bundle: WriteBundle, action: str
) -> None:
    (told,) = strays(bundle({"keywords/a.yaml": LIST.format("fraudd", action)}))

    assert told == (
        "keywords/a.yaml:3:11 category: fraudd is none of the tree, so its hits have no harm,"
        " and preferences and reports do not see it: did you mean fraud?"
    )


@pytest.mark.parametrize(
    ("action", "is_told"), [("reject", True), ("quarantine", True), ("shadow", False)]
)
def test_a_word_of_its_own_is_told_of_a_list_that_stops_messages(
    bundle: WriteBundle, action: str, *, is_told: bool
) -> None:
    told = strays(bundle({"keywords/a.yaml": LIST.format("smishing-2027", action)}))

    assert bool(told) is is_told
    assert not any("did you mean" in one for one in told)


@pytest.mark.parametrize("category", ["fraud", "Fraud_Prize", "real-estate", "scam"])
def test_whatever_names_a_category_is_none_to_tell(bundle: WriteBundle, category: str) -> None:
    assert strays(bundle({"keywords/a.yaml": LIST.format(category, "reject")})) == []


def test_the_uppermost_layer_that_says_a_category_is_the_one_that_counts(
    bundle: WriteBundle,
) -> None:
    below = {"keywords/a.yaml": LIST.format("gambeling", "reject")}
    adding = "version: 1\nid: K-A\n{}words: [包赢计划]\n"
    layers = {"righted": "category: gambling\n", "spoilt": "category: gambing\n", "silent": ""}

    told = {
        name: strays(bundle({**below, "local.d/keywords/b.yaml": adding.format(line)}))
        for name, line in layers.items()
    }

    places = {name: [one.split(" ")[0] for one in found] for name, found in told.items()}
    assert places == {
        "righted": [],
        "spoilt": ["local.d/keywords/b.yaml:3:11"],
        "silent": ["keywords/a.yaml:3:11"],
    }


def test_files_that_went_away_meanwhile_are_no_reason_to_fail(bundle: WriteBundle) -> None:
    directory = bundle({"keywords/a.yaml": LIST.format("fraudd", "reject")})
    loaded = load_bundle(directory)

    (directory / "keywords/a.yaml").unlink()

    assert stray_categories(loaded, directory) == ()


@pytest.mark.parametrize(
    "profile", [None, *sorted(one.name for one in (ROOT / "policies/profiles").iterdir())]
)
def test_what_is_shipped_has_none(profile: str | None) -> None:
    shipped = load_bundle(ROOT / "policies", profile)

    assert stray_categories(shipped, ROOT / "policies") == ()
