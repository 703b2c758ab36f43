"""What people changed: the model's answers against theirs, and the counts before and after."""

from __future__ import annotations

from dataclasses import replace

from db.domain.corrections import Correction, CorrectionOutcome
from db.domain.estimates import Estimate
from db.domain.labels import ImageLabel
from db.domain.results import ImageResult
from tests.factories import image_result
from worker.report.missed import MissedImages, missed_words
from worker.report.review import ChangeLine, changes_of, confusions_of
from worker.report.summary import Summary, summarise

ORDER = ("ALB", "NoF", "YFT")


def seen(item_id: int, species: str, said: str, *, camera: str = "boat_1") -> ImageResult:
    """An image with one box that the model calls `species` and a person `said`, without a box."""
    review = Correction(
        "ab" * 32, ImageLabel(said), CorrectionOutcome.CORRECTED, (), "ana", "2024-05-06T00:00:00", "e", "m1"
    )
    fish = [(species, 0.9, (10, 10, 60, 40))]
    return replace(image_result(species=species, regions=fish, item_id=item_id, camera=camera), review=review)


def summary_of(*results: ImageResult) -> Summary:
    return summarise(iter(results), max_images=10, flag_below=0.5)


def test_the_models_species_stand_against_a_persons_whole_and_by_camera() -> None:
    found = summary_of(
        seen(1, "ALB", "ALB"),
        seen(2, "ALB", "YFT"),
        seen(3, "YFT", "YFT", camera="boat_2"),
        image_result(species="YFT", item_id=4),  # nobody looked at it
    )

    whole, *cameras = confusions_of(found.review, ORDER)

    assert whole.names == ("ALB", "YFT") and whole.counts == ((1, 1), (0, 1))
    assert (whole.images, whole.differing) == (3, 1)
    assert [(one.title, one.differing, one.images) for one in cameras] == [("boat_1", 1, 2), ("boat_2", 0, 1)]


def test_the_answer_of_a_duplicate_is_no_answer_of_its_own() -> None:
    looked_at = seen(1, "ALB", "YFT")
    assert looked_at.review is not None
    twin = replace(seen(2, "ALB", "YFT"), review=replace(looked_at.review, duplicate_of="cd" * 32))

    found = summary_of(looked_at, twin)

    assert confusions_of(found.review, ORDER)[0].images == 1
    assert (found.reviewed, found.differing, found.by_duplicate) == (1, 1, 1)
    assert found.species == {"YFT": 2}


def test_a_species_that_the_label_set_lost_is_still_counted() -> None:
    found = summary_of(seen(1, "ALB", "MOONFISH"))

    assert confusions_of(found.review, ORDER)[0].names == ("ALB", "MOONFISH")


def test_counts_before_a_correction_are_the_models_and_after_it_the_persons() -> None:
    found = summary_of(seen(1, "ALB", "YFT"), seen(2, "ALB", "NoF"))

    changes = changes_of(found.review, found.species, found.fish, ORDER)

    # A person who draws no box says nothing of boxes: the answer has none.
    assert changes == [
        ChangeLine("ALB", images_before=2, images_after=0, fish_before=2, fish_after=0),
        ChangeLine("NoF", images_before=0, images_after=1, fish_before=0, fish_after=0),
        ChangeLine("YFT", images_before=0, images_after=1, fish_before=0, fish_after=0),
    ]


def test_before_a_review_there_is_nothing_to_compare() -> None:
    found = summary_of(image_result())

    assert confusions_of(found.review, ORDER) == []


def test_a_miss_rate_is_told_with_its_interval_or_how_many_answers_there_are() -> None:
    unknown = MissedImages("m1", unflagged=900, answers=3, needed=5, share=None)
    known = MissedImages("m1", unflagged=900, answers=40, needed=5, share=Estimate(0.05, 0.006, 0.169), out_of_reach=20)

    assert "is not known yet: 3 answers of the random share" in missed_words(unknown)
    assert missed_words(known).startswith(
        "of the images that are not flagged, in all jobs of the model, 5.0% are wrong (95 % interval 0.6% to 16.9%"
    )
    assert "nothing is known of 20 of them" in missed_words(known)
