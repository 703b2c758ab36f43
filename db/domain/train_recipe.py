"""What a training was asked for, what came of it, and what the gate said: the typed parts of a model version's card."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from db.domain.train_choices import Balance, Parts, SecondStageChoice

FitValues = dict[str, bool | int | float]
"""How one network is fitted: epochs, rates and weights by name."""


class CardPart(BaseModel):
    """A frozen part of a card; what a newer version adds is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TunedBlocks(CardPart):
    """So many of the trunk's last blocks are trained too, for at most so many epochs."""

    blocks: int
    epochs: int = 5


class TrainRecipe(CardPart):
    """What the training of a detector was asked for; a candidate is trained by its parent's.

    weights: imagenet, random, or a file. augment: changed views of each image. fine_tune: None where the trunk stays.
    finetune_trunk: a centre detector was tuned as a whole. final_fit: trained again on every image after its
    evaluation. fit: by head, or of the centre detector. second_stage: whether or not it could be made; None where the
    card does not say. parts, dataset: of a candidate.
    """

    weights: str = "imagenet"
    held_out_share: float = 0.2
    augment: int = 0
    fine_tune: TunedBlocks | None = None
    finetune_trunk: bool = False
    final_fit: bool = False
    fit: dict[str, FitValues] = {}
    second_stage: SecondStageChoice | None = None
    parts: Parts | None = None
    dataset: int | None = None


class TunedFit(CardPart):
    """How the tuning of the trunk's last blocks went. from_layer: where they begin; best_epoch: 0 where none helped."""

    from_layer: str
    epochs_run: int
    best_epoch: int
    seconds: float


class TrainRecord(CardPart):
    """What came of the training of a detector. split: how images were kept apart, in words.

    cameras: those learnt from. images_guessed: unlabelled ones, as the champion named them. epochs_run, epoch_kept,
    head_seconds: by head; epoch_kept is words where the schedule is fixed. steps, losses, boxes_learnt_from: of the
    centre detector.
    """

    split: str = ""
    images: int = 0
    images_held_out: int = 0
    cameras: tuple[str, ...] = ()
    images_guessed: int = 0
    species_without_images: tuple[str, ...] = ()
    epochs_run: dict[str, int] = {}
    epoch_kept: str | dict[str, int] | None = None
    head_seconds: dict[str, float] = {}
    fine_tuned: TunedFit | None = None
    steps: int | None = None
    losses: tuple[float, ...] = ()
    boxes_learnt_from: str = ""


class CropRecipe(CardPart):
    """What the training of a second stage was asked for. by_sampling: rare species are drawn more often."""

    weights: str = "imagenet"
    balance: Balance = Balance.ROOT
    by_sampling: bool = False
    seed: int = 0


class CropRecord(CardPart):
    """What came of the training of a second stage.

    crops_calibrated_by: of cameras that its networks had not learnt from. frozen_beside: whether the frozen softmax is
    heard beside it. strength: how strongly that softmax is held. views: of frozen features. epochs, members,
    cross_fits, resumed_at_epoch: of a fine-tuning.
    """

    crops: int = 0
    crops_held_out: int = 0
    crops_calibrated_by: int = 0
    crops_by_species: dict[str, int] = {}
    frozen_beside: bool = False
    strength: float | None = None
    views: int | None = None
    epochs: int | None = None
    members: int | None = None
    cross_fits: int | None = None
    resumed_at_epoch: int | None = None


class BootstrapRecord(CardPart):
    """The paired bootstrap that the gate went by; its fields are those of `worker.training.paired_bootstrap`."""

    gain: float
    low: float
    high: float
    sure: float
    level: float
    resampled: str
    cameras: int
    images: int


class GateRecord(CardPart):
    """What the gate said of a candidate. champion: it was compared with; its figures are of the same images."""

    champion: str
    promoted: bool = False
    objections: tuple[str, ...] = ()
    bootstrap: BootstrapRecord | None = None
    champion_figures: dict[str, float] = {}
