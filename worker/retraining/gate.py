"""The gate to serving: better on cameras never seen, no species below its floor, calibration no worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.settings import Settings
from db.store.model_versions import ModelVersion
from worker.training import metrics
from worker.training.paired_bootstrap import ENOUGH_CAMERAS, PairedBootstrap, Resampled, draw_rows, paired_bootstrap

# One image more or less is no fall, however rare its species is.
_LEAST_IMAGES_LOST = 2
_CALIBRATION_DRAWS = 500

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GateRule:
    """What a candidate must be. level: share of the bootstrap's draws in which it is better, 0.5..1.

    species_drop: recall that no species may lose more than, 0..1. calibration_slack: expected calibration error that it
    may have more, 0..1.
    """

    level: float
    species_drop: float
    calibration_slack: float


@dataclass(frozen=True)
class GateAnswers:
    """The same images as two models answer them, all final answers.

    truth: (N,) places on the species axis. champion, candidate: (N, S) probabilities. champion_saw: whether the
    champion has learnt from these images (`cli train --final-fit`); a candidate never has.
    """

    species: tuple[str, ...]
    truth: npt.NDArray[np.int64]
    cameras: Sequence[str]
    champion: Floats
    candidate: Floats
    champion_saw: bool = False


@dataclass(frozen=True)
class GateDecision:
    """Whether a candidate may serve, and why (not). objections: empty where it may."""

    bootstrap: PairedBootstrap
    objections: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def promoted(self) -> bool:
        """Whether the candidate may serve."""
        return not self.objections

    @property
    def reason(self) -> str:
        """One line that a person can act on."""
        found = self.bootstrap
        what = (
            f"log loss {-found.gain:+.3f} (90 % of the draws {-found.high:+.3f} to {-found.low:+.3f}) on "
            f"{found.images} images of {_cameras(found.cameras)}, lower in {found.sure:.1%} of the draws, "
            f"{found.level:.1%} asked for"
        )
        return "; ".join([*(self.objections or ("better",)), what, *self.remarks])


def rule_of(settings: Settings) -> GateRule:
    """Return the rule that the settings ask for."""
    return GateRule(settings.gate_level, settings.gate_species_drop, settings.gate_calibration_slack)


def decide(evaluated: GateAnswers, rule: GateRule) -> GateDecision:
    """Return whether a candidate is to take the champion's place, from final answers on held-out cameras."""
    bootstrap = paired_bootstrap(
        metrics.losses(evaluated.truth, evaluated.champion),
        metrics.losses(evaluated.truth, evaluated.candidate),
        evaluated.cameras,
        level=rule.level,
    )
    objections = [] if bootstrap.better else ["not surely better"]
    objections += [*_fallen_species(evaluated, rule), *_worse_calibration(evaluated, rule, level=bootstrap.level)]
    return GateDecision(bootstrap, tuple(objections), tuple(_remarks(bootstrap, evaluated)))


def figures(truth: npt.NDArray[np.int64], probabilities: Floats) -> dict[str, float]:
    """Return a model's figures on held-out images, by name."""
    return {
        "accuracy": metrics.accuracy(truth, probabilities),
        "balanced_accuracy": metrics.balanced_accuracy(truth, probabilities),
        "log_loss": metrics.log_loss(truth, probabilities),
        "calibration_error": metrics.expected_calibration_error(truth, probabilities),
        "images": float(len(truth)),
    }


def _fallen_species(evaluated: GateAnswers, rule: GateRule) -> list[str]:
    before, after = (
        metrics.recalls(evaluated.truth, evaluated.champion),
        metrics.recalls(evaluated.truth, evaluated.candidate),
    )
    fallen = []
    for place, recall in before.items():
        images = int(np.sum(evaluated.truth == place))
        lost = round((recall - after[place]) * images)
        if recall - after[place] > rule.species_drop and lost >= _LEAST_IMAGES_LOST:
            fallen.append(
                f"{evaluated.species[place]} falls below its floor: recall {after[place]:.2f} on {images} images, "
                f"the champion's {recall:.2f} less {rule.species_drop:g} at most"
            )
    return fallen


def _worse_calibration(evaluated: GateAnswers, rule: GateRule, *, level: float) -> list[str]:
    """Object where the calibration error is surely more than the slack above the champion's.

    Of few images the error itself is mostly noise, so it is compared draw by draw, as the log loss is.
    """
    rows_of_draws = list(draw_rows(evaluated.cameras, draws=_CALIBRATION_DRAWS))
    before = np.array([_calibration_error(evaluated, evaluated.champion, rows) for rows in rows_of_draws])
    after = np.array([_calibration_error(evaluated, evaluated.candidate, rows) for rows in rows_of_draws])
    worse = float(np.mean(after > before + rule.calibration_slack))
    if worse < level:
        return []
    everything = np.arange(len(evaluated.truth))
    return [
        f"calibration error {_calibration_error(evaluated, evaluated.candidate, everything):.3f}, the champion's "
        f"{_calibration_error(evaluated, evaluated.champion, everything):.3f}: more than {rule.calibration_slack:g} "
        f"above it in {worse:.1%} of the draws"
    ]


def _calibration_error(evaluated: GateAnswers, answers: Floats, rows: npt.NDArray[np.intp]) -> float:
    return metrics.expected_calibration_error(evaluated.truth[rows], answers[rows])


def _cameras(count: int) -> str:
    return "1 held-out camera" if count == 1 else f"{count} held-out cameras"


def _remarks(found: PairedBootstrap, evaluated: GateAnswers) -> list[str]:
    remarks = []
    if found.resampled is not Resampled.CAMERAS:
        remarks.append(
            f"with fewer than {ENOUGH_CAMERAS} held-out cameras images were drawn anew, not cameras: this speaks for "
            "these cameras alone; label images of more cameras"
        )
    if evaluated.champion_saw:
        remarks.append(
            "the champion has learnt from these images (--final-fit), which favours it: compare the cards' figures; "
            "`cli models promote --force` overrules this"
        )
    return remarks


def objection_to(candidate: ModelVersion, champion: ModelVersion) -> str | None:
    """Why a candidate should not serve, by what the gate said or else by both cards; None where nothing objects."""
    new, old = candidate.card, champion.card
    if new.gate is not None and new.gate.champion != champion.model_id:
        return f"was evaluated against {new.gate.champion}, which does not serve now: cli retrain --again"
    if new.gate is not None:
        return None if new.gate.promoted else f"the gate refused it ({'; '.join(new.gate.objections)})"
    if new.folds != old.folds:
        return "was evaluated on other cameras than the champion, so their figures do not compare"
    first, second = new.metrics.get("log_loss"), old.metrics.get("log_loss")
    if first is None or second is None:
        return "its figures or the champion's are not known"
    return f"its log loss {first:.3f} is not below the champion's {second:.3f}" if first >= second else None


def blind_objection(first: ModelVersion) -> str | None:
    """Why a first model should not serve: it has not learnt to see fish; None where it has."""
    blind = first.card.blind
    return f"it {'; it '.join(blind)}" if blind else None
