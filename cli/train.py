"""The command that trains a first model from the labels held: `cli train`."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.events import train_events
from cli.shared.context import opened
from cli.shared.runtimes import runtime_line
from cli.shared.steps import Epochs, Trunk, Weights, rows_columns, run_with_bar, tell_left_out
from cli.shared.terminal import say
from db.domain.train_choices import INPUT_HW, Balance, DetectorKind, SecondStageChoice, size_in_words
from worker.models.names import HeadName

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from worker.steps.requests import TrainRequest, TrainResult


class DetectorChoice(StrEnum):
    """How `cli train` makes the detector."""

    CENTRE = "centre"
    LESSON = "lesson"


# By the kind that a model's card names.
_KINDS = {DetectorChoice.CENTRE: DetectorKind.CENTRE, DetectorChoice.LESSON: DetectorKind.LESSON}
_BOX_FIGURES = ("fish_ap50", "fish_recall_in_1", "fish_recall_in_3", "boxes_an_image", "box_calibration_error")
_FIGURES = ("accuracy", "balanced_accuracy", "log_loss", "largest_fish_mean_iou", "majority_accuracy")


def train(
    trunk: Trunk = "efficientnet_lite0",
    detector: Annotated[
        DetectorChoice | None,
        typer.Option(
            help="centre: boxes from a centre heat map that carries over to cameras never seen, the default; lesson: "
            "both heads on features computed once, with --heads, --augment and --fine-tune.",
            show_default=False,
        ),
    ] = None,
    heads: Annotated[
        str | None,
        typer.Option(help="The lesson's detector: a box head and a heat-map head, with a comma.", show_default=False),
    ] = None,
    weights: Weights = "imagenet",
    size: Annotated[
        str | None,
        typer.Option(
            help="Rows x columns of the network's input, pixels: "
            f"{size_in_words(INPUT_HW[DetectorKind.CENTRE])}, of the lesson's detector "
            f"{size_in_words(INPUT_HW[DetectorKind.LESSON])}.",
            show_default=False,
        ),
    ] = None,
    held_out: Annotated[
        float,
        typer.Option(
            min=0.05,
            max=0.5,
            help="Share of the images to evaluate on, by whole cameras; later trainings evaluate on the same.",
        ),
    ] = 0.2,
    second_stage: Annotated[
        SecondStageChoice,
        typer.Option(
            help="The crop classifier: finetune, the whole trunk, clearly better; frozen, on the trunk's features, "
            "in half the time; or none."
        ),
    ] = SecondStageChoice.FINETUNE,
    balance: Annotated[
        Balance,
        typer.Option(
            help="What rare species count while the crop classifier learns: as they come, by the root of balance, or "
            "all species alike. Its answers expect them as often as they came all the same."
        ),
    ] = Balance.ROOT,
    by_sampling: Annotated[
        bool,
        typer.Option("--by-sampling", help="Finetune: show crops of rare species more often, not count them more."),
    ] = False,
    epochs: Epochs = None,
    augment: Annotated[
        int,
        typer.Option(min=0, max=20, help="Changed views of each image to learn from as well; each is cached."),
    ] = 0,
    fine_tune: Annotated[
        int, typer.Option(min=0, max=50, metavar="BLOCKS", help="Also train so many of the trunk's last blocks; slow.")
    ] = 0,
    finetune_trunk: Annotated[
        bool,
        typer.Option(
            "--finetune-trunk",
            help="Also tune the centre detector as a whole, trunk and all; slow, and goes on where it was stopped.",
        ),
    ] = False,
    fine_tune_epochs: Annotated[int, typer.Option(min=1, max=100, help="At most so many times through them.")] = 5,
    pseudo: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            max=1,
            metavar="FLOOR",
            help="Also learn from unlabelled images of which both heads of the champion are at least this sure.",
        ),
    ] = None,
    final_fit: Annotated[
        bool, typer.Option("--final-fit", help="After evaluation, train again on every image.")
    ] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Let a first model serve although it has not learnt to see fish.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same model on one machine.")] = 0,
    events: Annotated[
        bool,
        typer.Option(
            "--events",
            help="Instead train the network that follows animals; of the others only --epochs and --seed count.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Train both heads on the labels held and register the model; the first one serves at once.

    Boxes are evaluated on cameras kept apart, then learnt from every camera.
    """
    from worker.steps.requests import TrainRequest

    if events:
        train_events(epochs=epochs, seed=seed, as_json=as_json)
        return
    chosen = _detector_of(detector, of_lesson={"--heads": heads, "--augment": augment, "--fine-tune": fine_tune})
    if finetune_trunk and (final_fit or chosen is not DetectorChoice.CENTRE):
        raise typer.BadParameter("--finetune-trunk is for the centre detector, and serves as it was evaluated")
    _, engine = opened()  # a database that cannot be used is told before the work
    options = TrainRequest(
        kind=_KINDS[chosen],
        trunk=trunk,
        heads=_head_pair(heads),
        weights=weights,
        input_hw=rows_columns(size) if size else None,
        held_out_share=held_out,
        epochs=epochs,
        augment=augment,
        fine_tune=fine_tune,
        fine_tune_epochs=fine_tune_epochs,
        finetune_trunk=finetune_trunk,
        final_fit=final_fit,
        pseudo=pseudo,
        second_stage=second_stage,
        balance=balance,
        by_sampling=by_sampling,
        anyway=anyway,
        seed=seed,
        command=shlex.join(["cli", *sys.argv[1:]]),
    )
    _train(engine, options, as_json=as_json)


def _train(engine: Engine, options: TrainRequest, *, as_json: bool) -> None:
    """Train with these options and tell what came of it."""
    from worker.steps.requests import TRAIN

    if not as_json:
        _tell_time(engine, options)
    done = run_with_bar(TRAIN, options, quiet=as_json)
    if as_json:
        typer.echo(done.as_json())
        return
    tell_model(done)
    if options.pseudo is not None:
        typer.echo(f"  {done.record.images_guessed} unlabelled images taught it, as the champion named them")
    tell_left_out(done)


def _tell_time(engine: Engine, request: TrainRequest) -> None:
    """Say how long the training takes, before it begins; of the lesson's detector nothing is known beforehand."""
    from db.session import reading
    from db.store.labels import training_records
    from worker.training.detector.settings import TrainSettings
    from worker.training.expected_time import expected_processor_s, time_in_words

    if request.kind is not DetectorKind.CENTRE:
        return
    with reading(engine) as session:
        labels = [record.label for record in training_records(session)]
    if not labels:
        return  # the training itself says what it lacks
    fit = TrainSettings(epochs=request.epochs).centre_fit()
    boxes = sum(len(label.boxes) for label in labels)
    expected_s = expected_processor_s(
        images=len(labels),
        boxes=boxes,
        method=request.second_stage.method,
        fit=fit,
        finetune_trunk=request.finetune_trunk,
    )
    typer.echo(f"{len(labels)} labelled images with {boxes} boxes: {time_in_words(expected_s)}")


def _head_pair(text: str | None) -> tuple[HeadName, HeadName]:
    """Return the lesson's two heads; the default ones where none are named."""
    if text is None:
        return HeadName.BOX_SPECIES, HeadName.HEATMAP_HIRES
    try:
        box, heatmap = (HeadName(name.strip()) for name in text.split(","))
    except ValueError:
        wanted = f"wanted a box head and a heat-map head of {', '.join(HeadName)}"
        raise typer.BadParameter(f"--heads {text!r}: {wanted}") from None
    return box, heatmap


def _detector_of(asked: DetectorChoice | None, *, of_lesson: dict[str, Any]) -> DetectorChoice:
    """Return the detector to train; an option of the lesson's chooses it.

    of_lesson: options that only the lesson's detector has, as given.
    """
    given = [name for name, value in of_lesson.items() if value]
    if asked is DetectorChoice.CENTRE and given:
        raise typer.BadParameter(f"{', '.join(given)}: of the lesson's detector alone; add --detector lesson")
    return asked or (DetectorChoice.LESSON if given else DetectorChoice.CENTRE)


def tell_model(done: TrainResult) -> None:
    """Say in a few lines what a training gave."""
    record, metrics = done.record, done.metrics
    typer.echo(f"model {done.model} is {done.state}, trained in {done.train_seconds:.0f} s")
    where = ", ".join(done.held_out_cameras) or "images drawn at random: all are of one camera"
    typer.echo(f"evaluated on {record.images_held_out} of {record.images} images ({where}):")
    typer.echo("  " + ", ".join(f"{name} {metrics[name]:.3f}" for name in _FIGURES if name in metrics))
    if boxes := [f"{name} {metrics[name]:.3f}" for name in _BOX_FIGURES if name in metrics]:
        typer.echo("  boxes: " + ", ".join(boxes))
    if record.epoch_kept is not None:
        _tell_epochs(record.epoch_kept)
    for text in (*done.blind, *done.cautions):
        say(f"  it {text}", fg=typer.colors.YELLOW, err=True)
    _tell_second_stage(done)
    if record.species_without_images:
        typer.echo(f"  no image of {', '.join(record.species_without_images)}: it cannot know them")
    if done.runtime is not None:
        typer.echo(f"  {runtime_line(done.runtime)}")
    if done.state == "candidate":
        typer.echo(f"it waits; `cli models promote {done.model}` lets it serve")


def _tell_epochs(kept: str | dict[str, int]) -> None:
    """Say which epoch's weights stayed."""
    each = kept if isinstance(kept, str) else ", ".join(f"{head} {epoch}" for head, epoch in kept.items())
    typer.echo(f"  epoch kept: {each}")


def _tell_second_stage(done: TrainResult) -> None:
    part = done.second_stage
    if done.second_stage_missing:
        say(f"  it has no second stage: {done.second_stage_missing}", fg=typer.colors.YELLOW, err=True)
    if part is None or "accuracy" not in part.metrics:
        return
    crops = ", ".join(f"{name} {part.metrics[name]:.3f}" for name in _FIGURES if name in part.metrics)
    typer.echo(f"second stage ({part.method}), {part.record.crops_held_out} held-out crops: {crops}")
    first = ", ".join(f"{name} {done.metrics[f'first_stage_{name}']:.3f}" for name in _FIGURES[:3])
    typer.echo(f"  its share in the answer is {part.weight:.2f}; the first stage alone: {first}")
