"""The label set: order, membership, and a hint for a label that is none."""

import pytest

from db.domain.species import DEFAULT_LABEL_SET, LabelSet, UnknownSpecies, label_set_of_names


def test_the_default_order_is_the_competitions() -> None:
    assert DEFAULT_LABEL_SET.names == ("ALB", "BET", "DOL", "LAG", "NoF", "OTHER", "SHARK", "YFT")


def test_no_fish_is_not_among_the_fish() -> None:
    assert "NoF" not in DEFAULT_LABEL_SET.fish
    assert len(DEFAULT_LABEL_SET.fish) == 7


def test_a_misspelt_species_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UnknownSpecies, match=r"'yfd' is not a known species \(did you mean YFT\?\)"):
        DEFAULT_LABEL_SET.index("yfd")


@pytest.mark.parametrize(
    "names", [("ALB", "ALB", "NoF"), ("ALB", "BET")], ids=["a species twice", "no label for an empty image"]
)
def test_a_label_set_that_cannot_be_used_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="label set"):
        LabelSet(names)


def test_a_name_means_its_species_whatever_its_case_and_by_its_aliases() -> None:
    label_set = LabelSet(("Hake", "NoF"), {"merluza": "Hake"})

    assert [label_set.named(text) for text in (" hake ", "Merluza", "background", "cod")] == [
        "Hake",
        "Hake",
        "NoF",
        None,
    ]


@pytest.mark.parametrize("name", ["", " ", "a,b", "x" * 65, "line\nbreak"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a species"):
        label_set_of_names(["cod", name])
