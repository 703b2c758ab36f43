"""The leak audit's numbers: what a cue tells, when that is a leak, when it is none, when nobody can tell."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.leakage import HeatReport, Interval, LeakVerdict, ShortcutCue
from worker.leakage.heat_outside import heat_outside
from worker.leakage.hide_fish import fill_holes, holes_of, holes_text
from worker.leakage.shortcut_cues import CueImages, folds_by, linear_learner, one_hot, plant_leak
from worker.leakage.verdicts import decide_gap, evaluate_cue, sentence
from worker.steps.audit_leakage import LeakageError, refuse_unauditable
from worker.training.data.samples import TrainingSample

SPECIES = 4


def _fleet(images: int, *, cameras: int, leak: float, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Species and cameras of images; each camera shows its own species in this share of them, else any."""
    rng = np.random.default_rng(seed)
    places = rng.integers(cameras, size=images)
    species = np.where(rng.random(images) < leak, places % SPECIES, rng.integers(SPECIES, size=images))
    return species, [f"boat_{place}" for place in places]


def _asked(species: np.ndarray) -> CueImages:
    everyone = np.arange(len(species))  # no two images are alike
    return CueImages(species, folds_by(everyone.tolist(), seed=0), everyone, SPECIES)


def _camera_cue(species: np.ndarray, cameras: list[str]) -> ShortcutCue:
    asked = _asked(species)
    learn = linear_learner(one_hot(cameras), asked.folds, count=SPECIES)
    return evaluate_cue("the camera", asked.ask(learn), control=asked.find_planted(learn, cameras))


def test_cameras_with_species_of_their_own_are_a_leak() -> None:
    cue = _camera_cue(*_fleet(400, cameras=8, leak=0.6))

    assert cue.verdict is LeakVerdict.LEAK
    assert cue.told.low > 0.1
    assert cue.accuracy > cue.majority_accuracy + 0.3  # 0.6 + 0.4 / 4 against about 1 / 4


def test_cameras_that_all_see_the_same_are_none_and_a_planted_leak_would_have_been_found() -> None:
    cue = _camera_cue(*_fleet(400, cameras=8, leak=0.0))

    assert cue.verdict is LeakVerdict.NONE
    assert cue.told.high < 0.05
    assert cue.control is not None and cue.control.low > 0.0


def test_a_handful_of_images_is_no_proof_that_there_is_no_leak() -> None:
    cue = _camera_cue(*_fleet(40, cameras=20, leak=0.0))

    assert cue.verdict is LeakVerdict.UNDECIDED


def test_noise_that_is_learnt_by_heart_tells_nothing() -> None:
    species, _cameras = _fleet(200, cameras=5, leak=0.0)
    asked = _asked(species)
    noise = np.random.default_rng(1).normal(size=(200, 150))

    answers = asked.ask(linear_learner(noise, asked.folds, count=SPECIES))

    cue = evaluate_cue("noise", answers, control=None)
    assert -0.02 < cue.told.value < 0.02


def test_what_is_the_same_of_all_images_tells_nothing_whatever_the_label_set() -> None:
    species, _cameras = _fleet(60, cameras=3, leak=0.0)
    asked = dataclasses.replace(_asked(species % 2), count=30)

    answers = asked.ask(linear_learner(one_hot(["1280 x 720"] * 60), asked.folds, count=30))

    assert evaluate_cue("size", answers, control=None).verdict is LeakVerdict.NONE


def test_a_clue_may_be_asked_of_some_folds_only() -> None:
    species, cameras = _fleet(100, cameras=4, leak=0.5)
    asked = _asked(species)

    answers = asked.ask(linear_learner(one_hot(cameras), asked.folds, count=SPECIES), at_most_folds=2)

    rows = np.flatnonzero(asked.folds < 2)
    assert len(rows) == 40
    assert answers.species.tolist() == species[rows].tolist()
    assert answers.said.shape == answers.guess.shape == (40, SPECIES)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_a_planted_leak_tells_as_much_as_it_was_asked_to(share: float) -> None:
    species, cameras = _fleet(100_000, cameras=8, leak=0.0)

    planted = plant_leak(species, cameras, count=SPECIES, share=share, seed=0)

    assert planted is not None
    joint = np.histogram2d(np.unique(cameras, return_inverse=True)[1], planted, bins=(8, SPECIES))[0] / len(planted)
    told = _entropy(joint.sum(axis=1)) + _entropy(joint.sum(axis=0)) - _entropy(joint)
    assert told / _entropy(joint.sum(axis=0)) == pytest.approx(share, abs=0.005)


def test_nothing_can_be_planted_where_all_images_are_alike() -> None:
    species, _cameras = _fleet(50, cameras=3, leak=0.0)

    assert plant_leak(species, ["1280 x 720"] * 50, count=SPECIES, share=0.1, seed=0) is None


def test_no_camera_is_in_two_folds() -> None:
    _species, cameras = _fleet(60, cameras=7, leak=0.0)

    folds = folds_by(cameras, seed=0)

    assert all(len({fold for fold, name in zip(folds, cameras, strict=True) if name == one}) == 1 for one in cameras)


def test_the_gap_is_what_a_random_split_flatters() -> None:
    truth, cameras = np.zeros(6, dtype=int), ["a", "a", "b", "b", "c", "c"]
    sure, unsure = np.array([0.9, 0.1]), np.array([0.4, 0.6])

    gap = decide_gap(truth, np.tile(sure, (6, 1)), np.tile(unsure, (6, 1)), cameras)

    assert (gap.known_accuracy, gap.unseen_accuracy) == (1.0, 0.0)
    assert (gap.accuracy_gap.value, gap.accuracy_gap.low, gap.accuracy_gap.high) == (1.0, 1.0, 1.0)
    assert gap.loss_gap.value == pytest.approx(np.log(0.9 / 0.4))


def _sample(name: str, *boxes: Box, species: str = "ALB") -> TrainingSample:
    label = ImageLabel(species, tuple(LabelledBox(box, species) for box in boxes))
    return TrainingSample(name.encode(), name, "boat_1", label, 200, 100)


def test_fish_are_hidden_with_a_margin_and_an_empty_image_gets_anothers_holes() -> None:
    samples = [_sample("b", Box(50, 20, 100, 40)), _sample("a", species="NoF"), _sample("c", species="YFT")]

    holes = holes_of(samples, input_hw=(50, 100))

    assert set(holes) == {"a", "b"}  # nobody knows where the fish of c is
    assert holes["b"].tolist() == [[20.0, 8.0, 55.0, 22.0]]  # half the size: 25..50 x 10..20, and 5 and 2 around it
    assert holes["a"].tolist() == holes["b"].tolist()
    filled = fill_holes(np.zeros((50, 100, 3), dtype=np.uint8), holes["b"])
    assert (filled[8:22, 20:55] == 127).all() and int((filled > 0).sum()) == 14 * 35 * 3


def test_what_is_hidden_is_cached_by_the_boxes() -> None:
    before, after = (
        holes_of([_sample("b", box)], input_hw=(50, 100)) for box in (Box(50, 20, 100, 40), Box(50, 20, 120, 40))
    )

    assert holes_text(before, "b") != holes_text(after, "b")


def test_heat_beside_the_fish_is_measured_within_the_image() -> None:
    heatmap = np.zeros((2, 4, 2))
    heatmap[:, :, 1] = 1.0  # no fish anywhere, but for two cells and one of the letterbox's border
    heatmap[0, 0] = heatmap[0, 2] = heatmap[1, 3] = (1.0, 0.0)

    spread = heat_outside(heatmap, [[0.2, 0.2, 1.0, 1.0]], no_fish_index=1, frame=(0.0, 0.0, 3.0, 2.0))

    assert spread is not None
    assert spread.outside == pytest.approx(1 / 2)
    assert spread.even == pytest.approx(5 / 6)


def test_a_map_without_heat_says_nothing() -> None:
    assert heat_outside([[[0.0, 1.0]]], [[0, 0, 1, 1]], no_fish_index=1, frame=(0, 0, 1, 1)) is None


def test_the_sentence_names_the_worst_clue_and_what_it_does_to_the_figures() -> None:
    told = Interval(0.28, 0.24, 0.31)
    size = ShortcutCue(
        "the image's size", 800, 0.47, 0.17, 0.44, 0.125, Interval(0.11, 0.09, 0.13), None, LeakVerdict.LEAK
    )
    camera = dataclasses.replace(size, name="the camera", accuracy=0.59, told=told)
    gap = decide_gap([0, 0, 0], [[0.9, 0.1]] * 3, [[0.1, 0.9]] * 3, ["a", "b", "c"])
    heat = HeatReport("m1", 90, 3, Interval(0.34, 0.3, 0.4), 0.93)

    text = sentence([size, camera], majority="ALB", gap=gap, heat=heat)

    assert text == (
        "LEAK: without a look at the fish, the camera alone names the right species of 59% of the images, where "
        "always saying ALB would be right for 44%. Evaluated on cameras it knows a simple network is right for 100%, "
        "on unseen ones for 0%: believe figures of unseen cameras only. The serving model looks at the fish: a spot on "
        "one is 26 times as hot as elsewhere (of its heat 34% lies beside the fish, as does 93% of the image)."
    )


@pytest.mark.parametrize(
    ("verdict", "start"),
    [(LeakVerdict.NONE, "NO LEAK: "), (LeakVerdict.UNDECIDED, "UNDECIDED: 800 images are too few")],
)
def test_the_sentence_begins_with_the_verdict(verdict: LeakVerdict, start: str) -> None:
    cue = ShortcutCue("the camera", 800, 0.44, 0.12, 0.44, 0.12, Interval(0.0, 0.0, 0.01), None, verdict)
    gap = decide_gap([0, 0, 0], [[0.9, 0.1]] * 3, [[0.9, 0.1]] * 3, ["a", "b", "c"])

    assert sentence([cue], majority="ALB", gap=gap, heat=None).startswith(start)


@pytest.mark.parametrize(
    ("species", "cameras", "line"),
    [
        ([], 1, "cli labels import"),
        (["ALB", "LAG"] * 12, 1, "all 24 labelled images are of one camera (boat_0)"),
        (["ALB"] * 24, 2, "all 24 labelled images show ALB; 2 species are needed"),
        (["ALB", "LAG", "LAG"] * 2, 2, "6 labelled images tell nothing; 20 are needed"),
    ],
    ids=["no labels", "one camera", "one species", "few images"],
)
def test_images_of_which_nothing_can_be_told_are_refused(species: list[str], cameras: int, line: str) -> None:
    samples = [
        dataclasses.replace(_sample(str(number), species=name), camera=f"boat_{number % cameras}")
        for number, name in enumerate(species)
    ]

    with pytest.raises(LeakageError, match=re.escape(line)):
        refuse_unauditable(samples)


def test_a_heat_map_that_is_hot_everywhere_is_told_to_see_no_fish() -> None:
    cue = ShortcutCue("the camera", 800, 0.44, 0.12, 0.44, 0.12, Interval(0.0, 0.0, 0.01), None, LeakVerdict.NONE)
    gap = decide_gap([0, 0, 0], [[0.9, 0.1]] * 3, [[0.9, 0.1]] * 3, ["a", "b", "c"])
    heat = HeatReport("m1", 90, 3, Interval(0.91, 0.9, 0.92), 0.92)

    assert "hardly tells fish from deck" in sentence([cue], majority="ALB", gap=gap, heat=heat)


def _entropy(shares: np.ndarray) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())
