"""People's answers into the chance that an image is wrong: a logistic fit that starts from the rule and is moved.

Penalised towards the rule, because the first answers are of doubtful images only, where agreement says little more: a
free fit turns the order upside down there. Species and cameras get a term each, shrunk towards none (random effects):
that a model is wrong about one boat is the first thing that answers tell. Source: Gelman and Hill 2007, chapter 12.
The strengths were chosen on two sample fleets and evaluated on a third (`make effort`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.stats import rankdata

from annotator.errors import AnnotatorError
from db.domain.error_probability import PARTS, ErrorFit, Floats, chance_wrong, error_probability_by_rule, parts_of
from db.domain.predictions import Agreement

MOST_FOLDS = 5
FEWEST_ANSWERS = 30
FEWEST_OF_A_KIND = 5
# One standard deviation of agreement (about 0.2) moves the logit by 1.4 before anything is known.
RULE_SLOPE = -7.0
# What holds the weights back: parts (of a quarter of their range) from the rule, species and cameras from nothing.
_PARTS_PULL, _EFFECTS_PULL, _PART_SCALE = 100.0, 2.0, 4.0
_CERTAIN = 1e-6


class TooFewAnswers(AnnotatorError):
    """The answers held are too few, or of one kind, to fit anything on."""


@dataclass(frozen=True)
class Answered:
    """One image that a person answered, with what the model had said of it."""

    agreement: Agreement
    species: str
    camera: str
    wrong: bool


@dataclass(frozen=True)
class FitFigures:
    """How a chance to be wrong does on cameras it was not fitted on.

    log_loss: nats. calibration_error: mean distance of chance and share over tenths of the images. ranking: the
    chance that a wrong image comes before a right one (0.5: by luck).
    """

    log_loss: float
    calibration_error: float
    ranking: float


@dataclass(frozen=True)
class ErrorCalibration:
    """A fit and what it was fitted on; fit is None where unseen cameras say that the rule alone is as good."""

    fit: ErrorFit | None
    answers: int
    wrong: int
    cameras: int
    folds: int
    fitted: FitFigures
    rule: FitFigures


def calibrate(answers: Sequence[Answered]) -> ErrorCalibration:
    """Return what the answers say of the chance to be wrong, evaluated by folds that share no camera.

    Raises:
        TooFewAnswers: fewer than 30, fewer than 5 wrong or right ones, or of one camera only.
    """
    wrong = np.array([one.wrong for one in answers], dtype=np.float64)  # (N,)
    cameras = sorted({one.camera for one in answers})
    _check(wrong, cameras)
    fold_of = {camera: place % MOST_FOLDS for place, camera in enumerate(cameras)}
    folds = np.array([fold_of[one.camera] for one in answers])
    held_out = np.zeros(len(answers))
    for fold in np.unique(folds):
        inside = [one for one, theirs in zip(answers, folds, strict=True) if theirs != fold]
        outside = [one for one, theirs in zip(answers, folds, strict=True) if theirs == fold]
        held_out[folds == fold] = _chances(fit_error_probability(inside), outside)
    fitted = _figures(held_out, wrong)
    rule = _figures(error_probability_by_rule([one.agreement.score for one in answers]), wrong)
    return ErrorCalibration(
        fit=fit_error_probability(answers) if fitted.log_loss < rule.log_loss else None,
        answers=len(answers),
        wrong=int(wrong.sum()),
        cameras=len(cameras),
        folds=len(np.unique(folds)),
        fitted=fitted,
        rule=rule,
    )


def fit_error_probability(answers: Sequence[Answered]) -> ErrorFit:
    """Return the penalised logistic fit on some answers.

    Raises:
        ValueError: there is no answer.
    """
    if not answers:
        raise ValueError("nothing to fit on")
    species = sorted({one.species for one in answers})
    cameras = sorted({one.camera for one in answers})
    rows = np.hstack(
        [
            parts_of([one.agreement for one in answers]),
            _one_hot([one.species for one in answers], species),
            _one_hot([one.camera for one in answers], cameras),
        ]
    )  # (N, P + species + cameras)
    count = len(PARTS)
    start, pull = np.zeros(rows.shape[1]), np.full(rows.shape[1], _EFFECTS_PULL)
    start[PARTS.index("agreement")] = RULE_SLOPE
    pull[:count] = _PARTS_PULL / _PART_SCALE**2
    wrong = np.array([one.wrong for one in answers], dtype=np.float64)
    intercept, weights = _descend(rows, wrong, start, pull)
    return ErrorFit(
        intercept=intercept,
        parts=tuple(weights[:count].tolist()),
        species=dict(zip(species, weights[count : count + len(species)].tolist(), strict=True)),
        cameras=dict(zip(cameras, weights[count + len(species) :].tolist(), strict=True)),
    )


def _check(wrong: Floats, cameras: Sequence[str]) -> None:
    found = f"{len(wrong)} answers of {len(cameras)} cameras, {int(wrong.sum())} of them to wrong images"
    if len(wrong) < FEWEST_ANSWERS or min(wrong.sum(), len(wrong) - wrong.sum()) < FEWEST_OF_A_KIND:
        raise TooFewAnswers(
            f"{found}; wanted {FEWEST_ANSWERS}, with {FEWEST_OF_A_KIND} wrong and {FEWEST_OF_A_KIND} right ones"
        )
    if len(cameras) < 2:
        raise TooFewAnswers(f"{found}; wanted two cameras, so that one can be kept apart to evaluate on")


def _descend(rows: Floats, wrong: Floats, start: Floats, pull: Floats) -> tuple[float, Floats]:
    """Return intercept and weights of the smallest penalised log loss."""

    def loss(values: Floats) -> tuple[float, Floats]:
        logits, away = values[0] + rows @ values[1:], values[1:] - start
        missed = 1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0))) - wrong
        total = np.logaddexp(0.0, logits).sum() - (wrong * logits).sum() + 0.5 * (pull * away**2).sum()
        return float(total), np.concatenate([[missed.sum()], rows.T @ missed + pull * away])

    found = minimize(loss, np.concatenate([[0.0], start]), jac=True, method="L-BFGS-B").x
    return float(found[0]), np.asarray(found[1:], dtype=np.float64)


def _one_hot(names: Sequence[str], known: Sequence[str]) -> Floats:
    return np.asarray(np.array(names)[:, None] == np.array(known)[None, :], dtype=np.float64)


def _chances(fit: ErrorFit, answers: Sequence[Answered]) -> Floats:
    return chance_wrong(
        fit,
        parts_of([one.agreement for one in answers]),
        species=[one.species for one in answers],
        cameras=[one.camera for one in answers],
    )


def _figures(chances: Floats, wrong: Floats) -> FitFigures:
    safe = np.clip(chances, _CERTAIN, 1.0 - _CERTAIN)
    log_loss = -(wrong * np.log(safe) + (1.0 - wrong) * np.log(1.0 - safe)).mean()
    tenths = np.array_split(np.argsort(chances, kind="stable"), 10)
    distances = [abs(chances[part].mean() - wrong[part].mean()) * len(part) for part in tenths if len(part)]
    return FitFigures(float(log_loss), float(sum(distances) / len(wrong)), _ranking(chances, wrong > 0.5))


def _ranking(chances: Floats, wrong: npt.NDArray[np.bool_]) -> float:
    """The area under the receiver operating curve; equal chances count half.

    By ranks, since a matrix of every wrong by every right answer takes gigabytes at 100,000 answers.
    Source: Mann and Whitney 1947.

    >>> _ranking(np.array([0.9, 0.2, 0.5, 0.5]), np.array([True, False, True, False]))
    0.875
    """
    count = int(wrong.sum())
    above = rankdata(chances)[wrong].sum() - count * (count + 1) / 2
    return float(above / (count * (len(wrong) - count)))
