"""What every way of `cli evaluate` tells: on what it was evaluated, what was left out, and the folder of plots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from worker.evaluation.answers import Answers, EvaluatedImages
from worker.evaluation.write import write_evaluation
from worker.steps.left_out import told_of
from worker.steps.requests import EvaluateRequest, EvaluateResult, LeftOut
from worker.training.data.check_samples import CheckedSamples
from worker.training.data.samples import TrainingSample


def written(
    request: EvaluateRequest, result: dict[str, Any], evaluated: EvaluatedImages, answers: Sequence[Answers]
) -> EvaluateResult:
    """Return the result, and write plots and images of the last compared model where a folder was asked for."""
    if not request.out:
        return EvaluateResult(**result)
    files = write_evaluation(
        request.out,
        result,
        evaluated,
        answers[-1],
        images=request.images,
        input_hw=(result["input_hw"][0], result["input_hw"][1]),
        seed=result["seed"],
    )
    return EvaluateResult(**result, files=tuple(files))


def facts(
    request: EvaluateRequest, samples: Sequence[TrainingSample], evaluated: EvaluatedImages, input_hw: tuple[int, int]
) -> dict[str, Any]:
    """Return what was evaluated on what."""
    return {
        "images": len(samples),
        "cameras": len({sample.camera for sample in samples}),
        "species": dict(Counter(sample.label.species for sample in samples)),
        "species_names": list(evaluated.label_set.names),
        "evaluated": len(evaluated.samples),
        "evaluated_cameras": len(set(evaluated.cameras.tolist())),
        "input_hw": list(input_hw),
        "seed": request.seed,
    }


def oddities(checked: CheckedSamples, unreadable: LeftOut) -> dict[str, LeftOut]:
    """Return what was left out, and what was repaired."""
    return {"unreadable": told_of(checked.skipped) + unreadable, "repaired": told_of(checked.repaired)}
