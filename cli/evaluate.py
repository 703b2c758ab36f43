"""The command that tells what networks are worth on cameras they have not seen: `cli evaluate`."""

from __future__ import annotations

import inspect
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.events import evaluate_events
from cli.shared.context import opened
from cli.shared.steps import Epochs, Size, Trunk, Weights, rows_columns, run_with_bar, tell_left_out
from cli.shared.terminal import say
from db.domain.train_choices import INPUT_HW, DetectorKind, SecondStageChoice, size_in_words

if TYPE_CHECKING:
    from db.domain.evaluations import ComparedFigures, FoldFacts
    from worker.steps.requests import EvaluateResult

_COLUMNS = (
    ("accuracy", "accuracy"),
    ("balanced_accuracy", "balanced"),
    ("log_loss", "log loss"),
    ("calibrated_log_loss", "calibrated"),
    ("calibrated_calibration_error", "cal. error"),
    ("largest_fish_mean_iou", "IoU"),
    ("fish_ap50", "AP50"),
)
_NAME_WIDTH, _WIDTH = 28, 14
_SIZE = size_in_words(INPUT_HW[DetectorKind.LESSON])


class Split(StrEnum):
    """Who is evaluated."""

    CAMERA = "camera"
    TIME = "time"
    RANDOM = "random"


def evaluate(
    heads: Annotated[
        str, typer.Option(help="Heads with commas, `+` for an average of several; or all. `cli models --help` tells.")
    ] = "box_species+heatmap_hires",
    split: Annotated[
        Split,
        typer.Option(help="By camera; by time, learning from the past; or at random, which only shows the leak."),
    ] = Split.CAMERA,
    folds: Annotated[
        int, typer.Option(min=2, max=20, help="Parts evaluated in turn, each by what is learnt from the others.")
    ] = 3,
    model: Annotated[
        str | None,
        typer.Option(
            help="Evaluate a model version (or champion) as it serves instead, on the cameras held out from it."
        ),
    ] = None,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole",
            help="Instead evaluate all that `cli train` makes, both stages: trained anew for every fold; takes long.",
        ),
    ] = False,
    second_stage: Annotated[
        SecondStageChoice, typer.Option(help="Of --whole: how fish are named from their crops.")
    ] = SecondStageChoice.FINETUNE,
    trunk: Trunk = "efficientnet_lite0",
    weights: Weights = "imagenet",
    size: Size = _SIZE,
    epochs: Epochs = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write figures.json, plots and images with boxes and heat maps there."),
    ] = None,
    images: Annotated[
        int, typer.Option(min=0, max=200, help="Images to show in DIR: half the worst answers, half by chance.")
    ] = 12,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same figures on one machine.")] = 0,
    events: Annotated[
        bool, typer.Option("--events", help="Instead evaluate how well animals are counted, on planned cameras.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Evaluate networks on cameras they have not seen: learn from some of the labels held, ask about the others, in
    turn.

    --whole judges the final answer, the second stage included, by what cli train would have made without each fold's
    cameras; its models also say what they have not learnt.

    Nothing is registered. Beside every figure stands what a random split would have made of it, but for --whole.
    """
    if events:
        evaluate_events(as_json=as_json)
        return
    if model:
        _refuse(heads=heads, split=split, folds=folds, trunk=trunk, weights=weights, size=size, epochs=epochs)
    if whole:
        _refuse_beside_whole(model=model, heads=heads, size=size)
    from worker.steps.requests import EVALUATE, EvaluateRequest

    opened()  # a database that cannot be used is told before the work
    request = EvaluateRequest(
        model=model,
        whole=whole,
        second_stage=second_stage,
        heads=tuple(name.strip() for name in heads.split(",") if name.strip()),
        split=str(split),
        folds=folds,
        trunk=trunk,
        weights=weights,
        input_hw=rows_columns(size),
        epochs=epochs,
        out=out.absolute() if out else None,
        images=images,
        seed=seed,
    )
    done = run_with_bar(EVALUATE, request, quiet=as_json)
    if as_json:
        typer.echo(done.as_json())
        return
    tell_left_out(done)
    _tell_what(done, folds)
    _tell_compared_models(done)
    _tell_parts(done.compared_models[-1])
    _tell_gap(done)
    if out:
        typer.echo(f"\n{out}: {', '.join(done.files)}")


def _refuse(**of_networks: object) -> None:
    """Refuse what only makes sense of networks that are trained here, beside --model."""
    plain = inspect.signature(evaluate).parameters
    given = [name for name, value in of_networks.items() if value != plain[name].default]
    if given:
        raise typer.BadParameter(f"--model evaluates a version as it is; --{given[0]} is for networks trained here")


def _refuse_beside_whole(**of_heads: object) -> None:
    """Refuse what --whole has no place for: its detector, heads and input size are those of `cli train`."""
    plain = inspect.signature(evaluate).parameters
    given = [name for name, value in of_heads.items() if value != plain[name].default]
    if given:
        raise typer.BadParameter(f"--whole evaluates what cli train makes by default; --{given[0]} has no part in it")


def _tell_what(done: EvaluateResult, folds: int) -> None:
    if done.model is not None:
        typer.echo(
            f"model {done.model} ({done.state}) on {done.evaluated} images of "
            f"{done.evaluated_cameras} cameras held out from it"
        )
        return
    how = {"camera": "by camera: each is unseen once", "time": "by time: later than all that is learnt from"}
    typer.echo(
        f"{done.images} images of {done.cameras} cameras, {done.evaluated} evaluated in {len(done.folds)} "
        f"folds {how.get(done.split or '', 'at random: cameras leak')}"
    )
    if len(done.folds) < folds:
        few = "cameras" if done.split == "camera" else "different capture times"
        typer.echo(f"  {folds} folds were asked for; there are too few {few}")
    if done.near_duplicates:
        left_out = sum(fold.left_out for fold in done.folds)
        typer.echo(
            f"  {done.near_duplicates} images have near-duplicates, never learnt from where another is evaluated"
            + (f" ({left_out} left out so)" if left_out else "")
        )
    for number, fold in enumerate(done.folds, start=1):
        _tell_fold(number, fold)


def _tell_fold(number: int, fold: FoldFacts) -> None:
    """Say what a fold lacks."""
    said = [f"the model of fold {number} {text}" for text in (*fold.blind, *fold.cautions)]
    if fold.species_not_learnt:
        said.insert(0, f"fold {number} has nothing to learn {', '.join(fold.species_not_learnt)} from")
    if fold.no_second_stage:
        said.append(f"the model of fold {number} has no second stage: {fold.no_second_stage}")
    for text in said:
        say(f"  {text}", fg=typer.colors.YELLOW, err=True)


def _tell_compared_models(done: EvaluateResult) -> None:
    typer.echo(" " * _NAME_WIDTH + "".join(title.rjust(_WIDTH) for _name, title in _COLUMNS))
    for one in done.compared_models:
        typer.echo(one.name.ljust(_NAME_WIDTH) + _cells(one.mean, one.spread))
        if done.random:
            typer.echo("  at random".ljust(_NAME_WIDTH) + _cells(done.random[one.name], {}))


def _tell_parts(last: ComparedFigures) -> None:
    typer.echo(f"\n{last.name} by species:")
    for name, row in last.by_species.items():
        typer.echo(f"  {name:24}{_figures(row, ('recall', 'precision', 'largest_fish_mean_iou', 'fish_ap50'))}")
    typer.echo("by camera:")
    for name, row in last.by_camera.items():
        wanted = ("accuracy", "balanced_accuracy", "calibrated_log_loss", "largest_fish_mean_iou", "fish_ap50")
        typer.echo(f"  {name:24}{_figures(row, wanted)}")


def _tell_gap(done: EvaluateResult) -> None:
    last = done.compared_models[-1]
    if done.random:
        typer.echo(
            f"\n{last.name} names {last.mean['accuracy']:.0%} of the images right, split by {done.split}; "
            f"a random split would claim {done.random[last.name]['accuracy']:.0%}"
        )


def _cells(mean: dict[str, float], spread: dict[str, float]) -> str:
    cells = [
        "-" if name not in mean else f"{mean[name]:.3f}" + (f" ±{spread[name]:.3f}" if name in spread else "")
        for name, _title in _COLUMNS
    ]
    return "".join(cell.rjust(_WIDTH) for cell in cells)


def _figures(row: dict[str, float], names: tuple[str, ...]) -> str:
    told = ", ".join(f"{name.replace('_', ' ')} {row[name]:.2f}" for name in names if name in row)
    return f"{row['images']:5.0f} images: {told}"
