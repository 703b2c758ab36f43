"""`cli models show`: everything that is known of a version, as a person reads it."""

from __future__ import annotations

from cli.models.card import card_lines
from db.domain.model_versions import ModelState
from db.store.model_versions import ModelVersion, Promotion
from tests.plain_cards import CARD, SECOND_STAGE

WHOLE: dict[str, object] = {
    **CARD,
    "trunk": "efficientnet_lite0",
    "dataset_sha256": "0123456789abcdef",
    "parent": "m-1",
    "folds": [["boat_02", "boat_05"]],
    "versions": {"keras": "3.15"},
    "train_seconds": 59.4,
    "command": "cli retrain",
    "metrics": {"accuracy": 0.5, "log_loss": 1.25, "first_stage_accuracy": 0.25, "box_ap50": 0.125, "images": 38.0},
    "metrics_by": {"camera": {"boat_02": {"images": 38.0, "accuracy": 0.5, "champion_accuracy": 0.75}}},
    "gate": {"champion": "m-1", "champion_figures": {"accuracy": 0.75, "log_loss": 1.5}},
    "second_stage": {
        **SECOND_STAGE,
        "metrics": {"accuracy": 0.625, "crops": 64.0},
        "metrics_by": {"species": {"ALB": {"recall": 1.0, "crops": 23.0}}},
    },
}
NOTE = "not surely better; log loss +0.250 on 38 images"
FORCED = Promotion("m-2", "m-1", "we know better", True, "2026-01-05T12:00:00+00:00")


def test_a_version_is_shown_with_its_origin_figures_gate_and_service() -> None:
    model = ModelVersion("m-2", ModelState.CHAMPION, "ab", WHOLE, NOTE, "2026-01-05T11:00:00+00:00")

    assert list(card_lines(model, [FORCED])) == [
        "  efficientnet_lite0 at 360x640, heads box_species, heatmap_hires",
        "  learnt from data set 0123456789ab, like m-1; evaluated on boat_02, boat_05",
        "  59 s: cli retrain (keras 3.15)",
        "  not surely better",
        "  log loss +0.250 on 38 images",
        "  images of cameras it has not seen:",
        "                         accuracy  balanced accuracy  log loss  calibration error",
        "    model                   0.500                        1.250                   ",
        "    first stage alone       0.250                                                ",
        "    champion then (m-1)     0.750                        1.500                   ",
        "  box_ap50                         0.125",
        "  images                           38",
        "  second stage (frozen), by single crops:",
        "         crops  accuracy",
        "    all     64     0.625",
        "  crops by species:",
        "         crops  recall",
        "    ALB     23   1.000",
        "  images by camera:",
        "             images  accuracy  champion accuracy",
        "    boat_02      38     0.500              0.750",
        "  2026-01-05T12:00:00  m-2 serves, after m-1 (forced): we know better",
    ]


def test_a_second_stage_without_figures_of_its_own_is_told_of() -> None:
    card: dict[str, object] = {**CARD, "second_stage": SECOND_STAGE}
    model = ModelVersion("m-3", ModelState.CANDIDATE, "ab", card, "", "2026-01-05T11:00:00+00:00")

    assert list(card_lines(model, []))[-1] == "  second stage (frozen), not evaluated by single crops on these cameras"


def test_a_version_of_which_little_is_known_is_shown_all_the_same() -> None:
    model = ModelVersion("m-0", ModelState.CANDIDATE, "ab", CARD, "", "2026-01-05T11:00:00+00:00")

    lines = list(card_lines(model, []))

    assert lines[1] == "  learnt from an unknown data set; evaluated on images drawn at random" and len(lines) == 3
