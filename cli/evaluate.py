"""The command that tells what networks are worth on cameras they have not seen: `cli evaluate`."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.context import opened
from cli.train import rows_columns, run_with_bar, tell_left_out

_COLUMNS = (
    ("accuracy", "accuracy"),
    ("balanced_accuracy", "balanced"),
    ("log_loss", "log loss"),
    ("calibrated_log_loss", "calibrated"),
    ("calibrated_calibration_error", "cal. error"),
    ("largest_fish_mean_iou", "IoU"),
    ("fish_ap50", "AP50"),
)
_NAME_WIDTH, _WIDTH = 28, 15


class Split(StrEnum):
    """Who is judged."""

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
        int, typer.Option(min=2, max=20, help="Parts that are judged in turn, each by what is learnt from the others.")
    ] = 3,
    trunk: Annotated[
        str, typer.Option(help="The pretrained network; `cli models --help` tells of each.")
    ] = "efficientnet_lite0",
    weights: Annotated[str, typer.Option(help="imagenet, random, or a file of the trunk's weights.")] = "imagenet",
    size: Annotated[str, typer.Option(help="Rows x columns of the network's input, pixels.")] = "360x640",
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Times to go through all pictures; by their number where not given.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same figures on one machine.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Judge networks on cameras they have not seen: train on some of the labels held, ask about the others, in turn.

    Nothing is registered. Beside every figure stands what a random split would have made of it.
    """
    opened()  # a database that cannot be used is told before the work
    request = {
        "heads": [name.strip() for name in heads.split(",") if name.strip()],
        "split": str(split),
        "folds": folds,
        "trunk": trunk,
        "weights": weights,
        "input_hw": rows_columns(size),
        "epochs": epochs,
        "seed": seed,
    }
    done = run_with_bar("worker.evaluate", request, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(done))
        return
    tell_left_out(done)
    _tell_folds(done)
    _tell_contestants(done)
    _tell_parts(done["contestants"][-1])
    _tell_gap(done)


def _tell_folds(done: dict[str, Any]) -> None:
    how = {"camera": "by camera: each is unseen once", "time": "by time: later than all that is learnt from"}
    typer.echo(
        f"{done['pictures']} pictures of {done['cameras']} cameras, {done['judged']} judged in {len(done['folds'])} "
        f"folds {how.get(done['split'], 'at random: cameras leak')}"
    )
    left_out = sum(fold["left_out"] for fold in done["folds"])
    if done["near_duplicates"]:
        typer.echo(
            f"  {done['near_duplicates']} pictures have a near-duplicate; never on two sides"
            + (f" ({left_out} left out of learning)" if left_out else "")
        )
    for number, fold in enumerate(done["folds"], start=1):
        if fold["species_not_learnt"]:
            names = ", ".join(fold["species_not_learnt"])
            typer.secho(f"  fold {number} has nothing to learn {names} from", fg=typer.colors.YELLOW, err=True)


def _tell_contestants(done: dict[str, Any]) -> None:
    typer.echo(" " * _NAME_WIDTH + "".join(title.rjust(_WIDTH) for _name, title in _COLUMNS))
    for one in done["contestants"]:
        cells = [_cell(one["mean"].get(name), one["spread"].get(name)) for name, _title in _COLUMNS]
        typer.echo(one["name"].ljust(_NAME_WIDTH) + "".join(cell.rjust(_WIDTH) for cell in cells))
        beside = (done["random"] or {}).get(one["name"])
        if beside:
            cells = [_cell(beside.get(name), None) for name, _title in _COLUMNS]
            typer.echo("  at random".ljust(_NAME_WIDTH) + "".join(cell.rjust(_WIDTH) for cell in cells))


def _tell_parts(best: dict[str, Any]) -> None:
    typer.echo(f"\n{best['name']} by species:")
    for name, row in best["by_species"].items():
        typer.echo(f"  {name:24}{_figures(row, ('recall', 'precision', 'largest_fish_mean_iou', 'fish_ap50'))}")
    typer.echo("by camera:")
    for name, row in best["by_camera"].items():
        wanted = ("accuracy", "balanced_accuracy", "calibrated_log_loss", "largest_fish_mean_iou", "fish_ap50")
        typer.echo(f"  {name:24}{_figures(row, wanted)}")


def _tell_gap(done: dict[str, Any]) -> None:
    best = done["contestants"][-1]
    beside = (done["random"] or {}).get(best["name"])
    if beside:
        typer.echo(
            f"\n{best['name']} names {best['mean']['accuracy']:.0%} of the pictures right, split by {done['split']}; "
            f"a random split would claim {beside['accuracy']:.0%}"
        )


def _figures(row: dict[str, float], names: tuple[str, ...]) -> str:
    told = ", ".join(f"{name.replace('_', ' ')} {row[name]:.2f}" for name in names if name in row)
    return f"{row['pictures']:5.0f} pictures: {told}"


def _cell(value: float | None, spread: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" + (f" ±{spread:.3f}" if spread is not None else "")
