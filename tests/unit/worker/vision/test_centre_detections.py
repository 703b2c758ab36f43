"""Which boxes of a centre heat map are kept, and with which chance."""

from __future__ import annotations

import numpy as np

from db.domain.box_confidence import BoxConfidence
from db.domain.boxes import Box
from db.domain.predictions import Detection, Head
from db.domain.species import LabelSet
from worker.vision.centre_detections import CentreMaps, centre_detections, chance_beside
from worker.vision.letterbox import fit_letterbox

_LABELS = LabelSet(("ALB", "YFT", "NoF"))
_LETTERBOX = fit_letterbox(width_px=1024, height_px=576, into_hw=(288, 512))
_PLAIN = BoxConfidence(slope=1.0, offset=0.0, at_least=0.05)


def _found(*chances: float, confidence: BoxConfidence = _PLAIN) -> list[Detection]:
    """What is kept of fish that lie apart, each of 32 x 32 input pixels; the left half of the maps says ALB."""
    centres, offsets = np.full((36, 64), -12.0), np.full((36, 64, 4), 16.0)
    for place, chance in enumerate(chances):
        centres[6 + 8 * (place % 4), 8 + 12 * (place // 4)] = np.log(chance / (1.0 - chance))
    heatmap = np.zeros((18, 32, 3))
    heatmap[:, :16, 0], heatmap[:, 16:, 1], heatmap[..., 2] = 0.3, 0.3, 0.7
    maps = CentreMaps(centres, offsets, heatmap)
    return centre_detections(maps, letterbox=_LETTERBOX, label_set=_LABELS, confidence=confidence)


def test_a_box_is_in_the_originals_pixels_with_its_chance_and_the_species_of_its_cells() -> None:
    (found,) = _found(0.4)

    assert found.box.xyxy == (104.0, 72.0, 168.0, 136.0)
    assert (found.species, round(found.confidence, 3)) == ("ALB", 0.4)


def test_boxes_that_cannot_matter_are_not_kept() -> None:
    assert [round(one.confidence, 2) for one in _found(0.4, 0.04, 0.1)] == [0.4, 0.1]


def test_beyond_the_third_a_box_must_be_likelier() -> None:
    kept = _found(0.9, 0.8, 0.7, 0.6, 0.3, 0.2, 0.1)

    assert [round(one.confidence, 1) for one in kept] == [0.9, 0.8, 0.7, 0.6, 0.3]


def test_the_fitted_curve_gives_the_chance() -> None:
    (found,) = _found(0.2, confidence=BoxConfidence(slope=1.0, offset=np.log(4.0), at_least=0.05))

    assert round(found.confidence, 3) == 0.5


def test_another_heads_box_is_as_likely_a_fish_as_the_fish_it_fits() -> None:
    fish = Detection(Box(0, 0, 100, 50), "ALB", 0.8, Head.HEATMAP)
    faint = Detection(Box(200, 0, 300, 50), "ALB", 0.1, Head.HEATMAP)

    assert chance_beside(Box(0, 0, 100, 50), [faint, fish]) == 0.8
    assert round(chance_beside(Box(50, 0, 150, 50), [faint, fish]), 3) == round(0.8 / 3, 3)
    assert chance_beside(Box(200, 0, 300, 50), [faint, fish]) == 0.1
    assert chance_beside(Box(0, 200, 100, 250), [faint, fish]) == chance_beside(fish.box, []) == 0.01
