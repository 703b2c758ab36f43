"""What each step that runs in a process of its own is asked, and what it gives back; light, for commands import it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from db.domain.evaluations import ComparedFigures, Figures, FoldFacts
from db.domain.event_figures import ComparedCounts
from db.domain.leakage import HeatReport, ShortcutCue, SplitGap
from db.domain.model_versions import SecondStage
from db.domain.runtimes import Runtime, RuntimeChoice
from db.domain.serving_pace import ServingPace
from db.domain.train_recipe import TrainRecipe, TrainRecord
from worker.models.names import DEFAULT_TRUNK, Balance, DetectorKind, HeadName, Parts, SecondStageChoice
from worker.models.recurrent import RecurrentCell

Size = tuple[int, int]
"""Rows, columns, pixels."""

LeftOut = tuple[tuple[str, str], ...]
"""Files and why each was left out, or what was repaired of it."""


class StepValue(BaseModel):
    """A frozen value that crosses to another process as JSON; a field that it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values; what was left at its default is left out."""
        return self.model_dump(mode="json", exclude_unset=True)

    def as_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(self.plain())


Q = TypeVar("Q", bound=StepValue)
R = TypeVar("R", bound=StepValue)


@dataclass(frozen=True)
class Step(Generic[Q, R]):
    """A step: the module that is its process, what it is asked and what it gives."""

    module: str
    request: type[Q]
    result: type[R]


class LearntFrom(StepValue):
    """unreadable: labelled images that were left out, with the reason. repaired: what was wrong with a label."""

    unreadable: LeftOut = ()
    repaired: LeftOut = ()


class TrainRequest(StepValue):
    """What `cli train` asks for; see its options. heads: of the lesson's detector. weights: imagenet, random, a file.

    layer: where the trunk is cut, its own place where not given. fine_tune: blocks of the trunk, 0 for none.
    finetune_trunk: of the centre detector, all of it.
    pseudo: how sure the champion must be of what an unlabelled image shows; None believes none. anyway: serve though
    blind.
    """

    kind: DetectorKind = DetectorKind.CENTRE
    trunk: str = DEFAULT_TRUNK
    layer: str | None = None
    heads: tuple[HeadName, HeadName] = (HeadName.BOX_SPECIES, HeadName.HEATMAP_HIRES)
    weights: str = "imagenet"
    input_hw: Size | None = None
    held_out_share: float = 0.2
    epochs: int | None = None
    augment: int = 0
    fine_tune: int = 0
    fine_tune_epochs: int = 5
    finetune_trunk: bool = False
    final_fit: bool = False
    pseudo: float | None = None
    second_stage: SecondStageChoice = SecondStageChoice.NONE
    balance: Balance = Balance.ROOT
    by_sampling: bool = False
    anyway: bool = False
    seed: int = 0
    command: str = ""


class TrainResult(LearntFrom):
    """The new version, its state and figures. recipe, record: of its card.

    blind, cautions: what it does not see, in words. second_stage_missing: why it has none, '' where it has one or none
    was asked for. runtime: what this machine serves it with, and why; None where nothing was to be chosen.
    """

    model: str
    state: str
    metrics: Figures
    recipe: TrainRecipe
    record: TrainRecord
    held_out_cameras: tuple[str, ...]
    second_stage: SecondStage | None
    second_stage_missing: str
    blind: tuple[str, ...]
    cautions: tuple[str, ...]
    train_seconds: float
    runtime: RuntimeChoice | None = None


class FitRequest(StepValue):
    """A candidate like its parent. dataset, parent, model: ids. into: the folder for the model's own folder.

    parts, second_stage, balance, by_sampling: the parent's way where None.
    """

    dataset: int
    parent: str
    model: str
    into: Path
    parts: Parts | None = None
    second_stage: SecondStageChoice | None = None
    balance: Balance | None = None
    by_sampling: bool | None = None
    seed: int = 0
    epochs: int | None = None
    command: str = ""


class FitResult(LearntFrom):
    """The hashes of the saved bundle; second_stage_missing: as a training's."""

    sha256: str
    crops_sha256: str | None = None
    second_stage_missing: str = ""


class AnswerRequest(StepValue):
    """One version's answers to held-out images of a data set. answers: the .npz file to write.

    It then holds `species` (S,), `sha256s` (N,) of the images that could be read, and `probabilities` (N, S).
    """

    models_dir: Path
    model: str
    sha256: str
    crops_sha256: str | None = None
    dataset: int
    at_most: int
    answers: Path


class AnswerResult(StepValue):
    """How many held-out images were answered, and how many could not be read."""

    images: int
    unreadable: int


class EvaluateRequest(StepValue):
    """What `cli evaluate` asks for: a model (an id or `champion`), or else networks over folds.

    heads: heads, averages and baselines as they are typed. whole: the recipe of `cli train` instead, with this second
    stage. out: a folder to write plots into; images: to show there.
    """

    model: str | None = None
    whole: bool = False
    second_stage: SecondStageChoice = SecondStageChoice.FINETUNE
    heads: tuple[str, ...] = ()
    split: str = "camera"
    folds: int = 4
    trunk: str = DEFAULT_TRUNK
    weights: str = "imagenet"
    input_hw: Size | None = None
    epochs: int | None = None
    out: Path | None = None
    images: int = 0
    seed: int = 0


class EvaluatedOn(StepValue):
    """What was evaluated on what. images, cameras: that are labelled; evaluated, evaluated_cameras: of them."""

    images: int
    cameras: int
    species: dict[str, int]
    species_names: tuple[str, ...]
    evaluated: int
    evaluated_cameras: int
    input_hw: Size
    seed: int


class EvaluateResult(EvaluatedOn, LearntFrom):
    """Figures of compared models; model, state: of a version; split, folds, random, near_duplicates: of networks."""

    model: str | None = None
    state: str | None = None
    split: str | None = None
    trunk: str
    folds: tuple[FoldFacts, ...] = ()
    random: dict[str, Figures] | None = None
    near_duplicates: int = 0
    compared_models: tuple[ComparedFigures, ...]
    files: tuple[str, ...] = ()


class LeakageRequest(StepValue):
    """What `cli audit leakage` asks for; the champion, and the model's own network and size, where not given."""

    model: str | None = None
    trunk: str | None = None
    weights: str | None = None
    input_hw: Size | None = None
    seed: int = 0


class LeakageResult(LearntFrom):
    """What tells the species besides the fish, in figures, verdicts and one sentence."""

    images: int
    boxless: int
    near_duplicates: int
    cameras: int
    species: dict[str, int]
    majority: str
    cues: tuple[ShortcutCue, ...]
    gap: SplitGap
    heat: HeatReport | None
    no_heat: str
    verdict: str
    sentence: str


class LookRequest(StepValue):
    """A layer of a model to be shown for an image. out: the PNG to write."""

    model: str
    image: str
    layer: str
    out: Path


class LookResult(StepValue):
    """shape: of the layer's output, (rows, columns, channels); drawn: how many channels are in `out`."""

    shape: tuple[int, ...]
    drawn: int
    out: str


class OptimiseRequest(StepValue):
    """A model version (`champion` for the one that serves), and the runtimes to compare: none for all.

    images: held-out images that answers are compared on, at most. within_s: after so many seconds no other runtime is
    begun; None: however long it takes.
    """

    model: str
    runtimes: tuple[Runtime, ...] = ()
    images: int = 300
    within_s: float | None = None

    @classmethod
    def at_once(cls, model: str) -> OptimiseRequest:
        """Return what is compared when nobody asked: about a minute of it, and of runtimes that lose little."""
        return cls(model=model, runtimes=(Runtime.OPENVINO_BF16, Runtime.OPENVINO), images=32, within_s=30.0)


class OptimiseResult(StepValue):
    """What was measured and chosen, and the file that it was written to."""

    model: str
    choice: RuntimeChoice
    file: str


class TuneRequest(StepValue):
    """The model version (`champion` for the one that serves) whose pace is to be found. images: so many at most."""

    model: str
    images: int = 48


class TuneResult(StepValue):
    """What was found, and the file that it was written to."""

    model: str
    pace: ServingPace
    file: str


class FeaturesRequest(StepValue):
    """Images by content, and the trunk's weights and input as for a training."""

    sha256s: tuple[str, ...]
    weights: str = "imagenet"
    input_hw: Size | None = None


class FeaturesResult(LearntFrom):
    """features: each channel's mean over the image, by content; (C,) each."""

    features: dict[str, tuple[float, ...]]


class TrainEventsRequest(StepValue):
    """What `cli train --events` asks for; the recipe's own cell and epochs where None."""

    cell: RecurrentCell | None = None
    epochs: int | None = None
    seed: int = 0


class TrainEventsResult(StepValue):
    """The new follower's id."""

    follower: str
    train_seconds: float


class FindEventsRequest(StepValue):
    """Whose animals are to be found. interval_s: between images that tell no time. alone: by tracks only."""

    job: int
    interval_s: float | None = None
    alone: bool = False


class FindEventsResult(StepValue):
    """How many animals were found in how many images. follower: that joined tracks, None for tracks alone."""

    events: int
    images: int
    follower: str | None
    notes: tuple[str, ...]


class EvaluateEventsRequest(StepValue):
    """The follower that serves is to be evaluated."""


class EvaluateEventsResult(StepValue):
    """rates: the figures beside simpler counts, at several rates of images."""

    follower: str
    rates: tuple[ComparedCounts, ...]


class DueRequest(StepValue):
    """The retraining that is due. command: for the card."""

    command: str


class DueResult(StepValue):
    """What came of it, in words."""

    came: str


TRAIN = Step("worker.steps.train", TrainRequest, TrainResult)
FIT_CANDIDATE = Step("worker.steps.fit_candidate", FitRequest, FitResult)
ANSWER_HELD_OUT = Step("worker.steps.answer_held_out", AnswerRequest, AnswerResult)
EVALUATE = Step("worker.steps.evaluate", EvaluateRequest, EvaluateResult)
AUDIT_LEAKAGE = Step("worker.steps.audit_leakage", LeakageRequest, LeakageResult)
LOOK_INSIDE = Step("worker.steps.look_inside", LookRequest, LookResult)
TUNE = Step("worker.steps.tune", TuneRequest, TuneResult)
OPTIMISE = Step("worker.steps.optimise", OptimiseRequest, OptimiseResult)
FIRST_FEATURES = Step("worker.steps.first_features", FeaturesRequest, FeaturesResult)
RETRAIN_DUE = Step("worker.retraining.retrain_due", DueRequest, DueResult)
TRAIN_EVENTS = Step("worker.steps.train_events", TrainEventsRequest, TrainEventsResult)
FIND_EVENTS = Step("worker.steps.find_events", FindEventsRequest, FindEventsResult)
EVALUATE_EVENTS = Step("worker.steps.evaluate_events", EvaluateEventsRequest, EvaluateEventsResult)
