"""The oracle that answers from the truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.corrections.compare import compare
from annotator.errors import LabelmeError
from annotator.labelme.json_files import LabelmeFile, LabelmeShape, read_labelme, write_labelme
from annotator.labelme.shown import HIDDEN_KEY, ExportedShape, ExportedState, ShapeRole
from annotator.simulation.oracle import GOOD_FIT_IOU, Simulation, answer, answer_folder, effort_curve, share_found
from db.domain.boxes import Box, iou
from db.domain.corrections import Change, CorrectionOutcome
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import DEFAULT_LABEL_SET

FISH = LabelledBox(Box(100, 100, 200, 150), "BET")


def shape(number: int, box: Box, species: str) -> ExportedShape:
    return ExportedShape(
        f"a{number}", ShapeRole.ANSWER, species, ((box.x_min, box.y_min), (box.x_max, box.y_max)), number
    )


def shown(state: ExportedState, *, sha256: str = "s") -> LabelmeFile:
    shapes = tuple(
        LabelmeShape(one.species, one.points_px, "rectangle", extra={HIDDEN_KEY: {"shape": one.shape_id}})
        for one in state.shapes
    )
    return LabelmeFile("a.jpg", 640, 360, shapes, extra={HIDDEN_KEY: {"sha256": sha256}})


@pytest.mark.parametrize(
    ("shapes", "truth", "outcome", "changes"),
    [
        pytest.param([shape(1, FISH.box, "BET")], [FISH], CorrectionOutcome.CONFIRMED, [Change.KEPT], id="right"),
        pytest.param(
            [shape(1, FISH.box, "YFT")], [FISH], CorrectionOutcome.CORRECTED, [Change.RELABELLED], id="species"
        ),
        # 60 of 100 columns: IoU 0.6, the same fish but a bad fit.
        pytest.param(
            [shape(1, Box(100, 100, 160, 150), "BET")], [FISH], CorrectionOutcome.CORRECTED, [Change.MOVED], id="fit"
        ),
        pytest.param(
            [shape(1, FISH.box, "BET")], [], CorrectionOutcome.CONFIRMED_EMPTY, [Change.REMOVED], id="no fish"
        ),
        pytest.param([], [FISH], CorrectionOutcome.CORRECTED, [Change.ADDED], id="missed"),
        pytest.param(
            [shape(1, FISH.box, "BET"), shape(2, Box(102, 100, 200, 150), "YFT")],
            [FISH],
            CorrectionOutcome.CORRECTED,
            [Change.KEPT, Change.REMOVED],
            id="one of two right",
        ),
    ],
)
def test_the_oracle_edits_as_a_person_would(shapes, truth, outcome, changes):
    state = ExportedState(640, 360, tuple(shapes))
    label = ImageLabel("BET" if truth else "NoF", tuple(truth))

    found = compare(state, answer(shown(state), label), label_set=DEFAULT_LABEL_SET)

    assert found.outcome is outcome
    assert [changed.change for changed in found.changes] == changes


sides = st.integers(20, 100)
boxes = st.builds(
    lambda x, y, w, h: Box(float(x), float(y), float(x + w), float(y + h)),
    st.integers(0, 500), st.integers(0, 250), sides, sides,
)  # fmt: skip
labelled = st.builds(LabelledBox, boxes, st.sampled_from(DEFAULT_LABEL_SET.fish))


@given(
    predictions=st.lists(st.tuples(boxes, st.sampled_from(DEFAULT_LABEL_SET.fish)), max_size=4),
    fish=st.lists(labelled, max_size=3, unique_by=lambda one: (one.box.x_min // 110, one.box.y_min // 110)),
)
@settings(deadline=None, max_examples=80)
def test_what_the_oracle_leaves_says_the_truth(predictions, fish):
    fish = [one for place, one in enumerate(fish) if all(iou(one.box, other.box) == 0 for other in fish[:place])]
    truth = ImageLabel(fish[0].species, tuple(fish)) if fish else ImageLabel("NoF")
    state = ExportedState(640, 360, tuple(shape(n, box, species) for n, (box, species) in enumerate(predictions)))

    found = compare(state, answer(shown(state), truth), label_set=DEFAULT_LABEL_SET)

    assert found.label is not None
    assert len(found.label.boxes) == len(fish)
    for said, true in zip(found.label.boxes, fish, strict=True):
        assert said.species == true.species and iou(said.box, true.box) >= GOOD_FIT_IOU


def test_a_folder_is_answered_but_for_images_the_truth_does_not_know(tmp_path: Path):
    state = ExportedState(640, 360, (shape(1, FISH.box, "YFT"),))
    write_labelme(tmp_path / "1.json", shown(state, sha256="known"))
    write_labelme(tmp_path / "2.json", shown(state, sha256="other"))
    (tmp_path / ".taffrail-export.json").write_text("{}")

    done = answer_folder(tmp_path, {"known": ImageLabel("BET", (FISH,))})

    assert done == Simulation(1, ("2.json",))
    assert read_labelme(tmp_path / "1.json").shapes[0].label == "BET"
    assert read_labelme(tmp_path / "2.json") == shown(state, sha256="other")


def test_a_file_without_our_ids_is_named(tmp_path: Path):
    write_labelme(tmp_path / "1.json", LabelmeFile("a.jpg", 640, 360))

    with pytest.raises(LabelmeError, match=r"1\.json: was never exported"):
        answer_folder(tmp_path, {})


def test_a_perfect_order_finds_every_wrong_one_first():
    assert effort_curve([3, 1, 2, 0], {3, 1}).tolist() == [0, 1, 2, 2, 2]
    assert share_found([3, 1, 2, 0], {3, 1}, looked_share=0.5) == 1.0
    assert share_found([0, 2, 1, 3], {3, 1}, looked_share=0.5) == 0.0
    assert share_found([0, 2], set()) == 1.0


def test_an_impossible_part_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        share_found([1], {1}, looked_share=1.2)
