"""Two model versions on the same images."""

from __future__ import annotations

from db.store.compared_models import ComparedAnswers
from worker.report.compared import compared_pairs

ORDER = ("ALB", "NoF", "YFT")
FIRST = {1: "ALB", 2: "ALB", 3: "NoF", 4: "YFT"}
SECOND = {1: "ALB", 2: "YFT", 3: "ALB"}
SAID = {1: "ALB", 2: "YFT", 3: "NoF", 4: "YFT"}
ITEMS = {1: 11, 2: 12, 3: 13, 4: 14}


def test_only_images_that_both_answered_are_compared() -> None:
    found = ComparedAnswers({"m1": FIRST, "m2": SECOND}, SAID, ITEMS)

    (pair,) = compared_pairs(found, ORDER, shown={12: "boat/2.jpg"})

    assert pair.table.names == ORDER and pair.table.counts == ((1, 0, 1), (1, 0, 0), (0, 0, 0))
    assert (pair.decided, pair.older_right, pair.newer_right) == (3, 2, 2)
    # Images 2 and 3 differ, and only the first of them is in the report.
    assert [(one.item_id, one.name, one.older, one.newer, one.said) for one in pair.differing] == [
        (12, "boat/2.jpg", "ALB", "YFT", "YFT")
    ]


def test_each_earlier_version_stands_against_the_newest() -> None:
    found = ComparedAnswers({"m1": FIRST, "m2": SECOND, "m3": SECOND}, {}, ITEMS)

    pairs = compared_pairs(found, ORDER, shown={})

    assert [(one.older, one.newer) for one in pairs] == [("m2", "m3"), ("m1", "m3")]


def test_versions_without_a_common_image_are_no_pair() -> None:
    assert compared_pairs(ComparedAnswers({"m1": {1: "ALB"}, "m2": {2: "ALB"}}, {}, ITEMS), ORDER, shown={}) == []
    assert compared_pairs(None, ORDER, shown={}) == []
