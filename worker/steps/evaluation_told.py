"""What every way of `cli evaluate` tells: on what it was evaluated, and the folder of plots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from worker.evaluation.answers import Answers, EvaluatedImages, Ints
from worker.evaluation.write import write_evaluation
from worker.steps.requests import EvaluatedOn, EvaluateRequest, EvaluateResult
from worker.training.data.samples import TrainingSample


def written(
    request: EvaluateRequest, result: EvaluateResult, evaluated: EvaluatedImages, answers: Sequence[Answers]
) -> EvaluateResult:
    """Return the result, and write plots and images of the last compared model where a folder was asked for."""
    if not request.out:
        return result
    files = write_evaluation(
        request.out,
        result.plain(),
        result.compared_models[-1],
        evaluated,
        answers[-1],
        at_random=(result.random or {}).get(answers[-1].name),
        images=request.images,
        input_hw=result.input_hw,
        seed=result.seed,
    )
    return result.model_copy(update={"files": tuple(files)})


def evaluated_on(
    request: EvaluateRequest, samples: Sequence[TrainingSample], evaluated: EvaluatedImages, input_hw: tuple[int, int]
) -> EvaluatedOn:
    """Return what was evaluated on what."""
    return EvaluatedOn(
        images=len(samples),
        cameras=len({sample.camera for sample in samples}),
        species=dict(Counter(sample.label.species for sample in samples)),
        species_names=evaluated.label_set.names,
        evaluated=len(evaluated.samples),
        evaluated_cameras=len(set(evaluated.cameras.tolist())),
        input_hw=input_hw,
        seed=request.seed,
    )


def count_alike(alike: Ints) -> int:
    """Return how many images have near-duplicates. alike: (N,) a number that near-duplicates share."""
    return int(sum(count for count in np.bincount(alike) if count > 1))
