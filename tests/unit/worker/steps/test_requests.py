"""What crosses to a step's process and back: typed values that survive the way as JSON, and nothing else."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from worker.models.names import Balance, DetectorKind, HeadName, SecondStageChoice
from worker.steps.requests import EvaluateResult, FitRequest, LookResult, StepValue, TrainRequest


@pytest.mark.parametrize(
    "value",
    [
        TrainRequest(
            kind=DetectorKind.LESSON,
            heads=(HeadName.BOX_SPECIES, HeadName.HEATMAP),
            input_hw=(64, 96),
            second_stage=SecondStageChoice.FROZEN,
            balance=Balance.FULL,
        ),
        FitRequest(dataset=1, parent="a", model="b", into="models/.work", epochs=3),
        LookResult(shape=(22, 40, 8), drawn=8, out="channels.png"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_the_same_on_the_other_side(value: StepValue) -> None:
    assert type(value).model_validate_json(value.as_json()) == value


def test_a_figure_that_is_no_number_survives_the_way() -> None:
    result = EvaluateResult(
        trunk="t", images=1, cameras=1, species={}, species_names=(), evaluated=1, evaluated_cameras=1,
        input_hw=(64, 96), seed=0, random={"gap": {"accuracy": float("nan")}}, compared_models=(),
    )  # fmt: skip

    random = EvaluateResult.model_validate(json.loads(result.as_json())).random

    assert random is not None and random["gap"]["accuracy"] != random["gap"]["accuracy"]


def test_what_was_not_asked_for_is_not_told() -> None:
    assert TrainRequest(seed=3).plain() == {"seed": 3}


@pytest.mark.parametrize(
    ("asked", "named"),
    [({"epoch": 3}, "epoch"), ({"heads": ["box_species", "tail"]}, "heads"), ({"balance": "even"}, "balance")],
    ids=["an unknown option", "an unknown head", "an unknown choice"],
)
def test_what_a_step_does_not_know_is_refused_by_name(asked: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        TrainRequest.model_validate(asked)


def test_a_request_is_never_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainRequest().seed = 3  # type: ignore[misc]
