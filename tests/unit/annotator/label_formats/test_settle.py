"""Everything that is written of an image comes to one record: repeats are told, contradictions refuse the image."""

from __future__ import annotations

from annotator.label_formats.records import RawBox, RawRecord
from annotator.label_formats.settle import settle

ALB = RawBox("ALB", (10, 10, 20, 20))
LAG = RawBox("LAG", (50, 10, 90, 40))


def _record(place: str, *boxes: RawBox, species: str | None = None, partial: bool = False) -> RawRecord:
    return RawRecord("a.jpg", place, species=species, boxes=boxes, partial=partial)


def _problems(*records: RawRecord) -> list[str]:
    return [str(problem) for problem in settle(records).problems]


def test_one_file_a_species_adds_up() -> None:
    first = _record("ALB.json [0]", ALB, species="ALB", partial=True)
    second = _record("LAG.json [3]", LAG, species="LAG", partial=True)

    assert settle([first, second]).boxes == (ALB, LAG) and _problems(first, second) == []


def test_an_equal_box_counts_once_and_is_told() -> None:
    settled = settle([_record("a.json", ALB, ALB, LAG)])

    assert settled.boxes == (ALB, LAG)
    assert settled.notes == ("box ALB (10, 10, 20, 20) stands 2 times; counted once",)


def test_a_record_that_says_the_same_counts_once_and_is_told() -> None:
    settled = settle([_record("a.json", ALB), _record("b.json", ALB)])

    assert settled.boxes == (ALB,) and settled.problems == ()
    assert settled.notes == ("says the same as b.json; counted once",)


def test_two_files_of_one_image_that_differ_contradict() -> None:
    assert _problems(_record("a.json", ALB), _record("b.json", LAG)) == ["a.json: contradicts b.json"]


def test_a_species_file_that_says_two_things_of_one_image_contradicts() -> None:
    first = _record("ALB.json [0]", ALB, species="ALB", partial=True)
    moved = RawBox("ALB", (11, 10, 20, 20))

    assert _problems(first, _record("ALB.json [4]", moved, species="ALB", partial=True)) == [
        "ALB.json [0]: contradicts ALB.json [4]"
    ]


def test_a_label_of_the_whole_image_against_its_boxes_contradicts() -> None:
    boxes = _record("LAG.json [0]", LAG, species="LAG", partial=True)
    folder = _record("train/ALB/a.jpg", species="ALB", partial=True)

    assert _problems(boxes, folder) == ["LAG.json [0]: is said to show ALB, of which there is no box"]
    assert _problems(_record("a.json", ALB, species="NoF")) == ["a.json: is said to show NoF, of which there is no box"]


def test_a_folder_that_repeats_its_species_is_as_it_should_be() -> None:
    settled = settle(
        [_record("ALB.json [0]", ALB, species="ALB", partial=True), _record("f", species="ALB", partial=True)]
    )

    assert settled.boxes == (ALB,) and settled.notes == () and settled.problems == ()


def test_one_box_with_two_species_contradicts() -> None:
    assert _problems(_record("a.json", ALB, RawBox("YFT", ALB.xyxy))) == [
        "a.json: box ALB (10, 10, 20, 20) stands with 2 species"
    ]
