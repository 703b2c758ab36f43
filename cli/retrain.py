"""The command that learns from the corrections: `cli retrain`."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.models.card import note_lines
from cli.shared.context import opened
from cli.shared.terminal import say
from worker.models.names import Balance, CropMethod, Parts, SecondStageChoice

if TYPE_CHECKING:
    from db.domain.retrainings import Occupied
    from worker.retraining.retrain import RetrainOutcome, RetrainRequest


_SHOWN = 10
_CAME = {"promoted": "serves now", "candidate": "stays a candidate"}
_FIGURES = ("log_loss", "accuracy", "balanced_accuracy", "calibration_error")


def retrain(
    parts: Annotated[
        Parts | None,
        typer.Option(
            help="What to train anew: the detector's heads, the crop classifier, or both; what the champion has if not "
            "given."
        ),
    ] = None,
    second_stage: Annotated[
        CropMethod | None,
        typer.Option(help="The crop classifier: frozen features, or the whole trunk; the champion's way if not given."),
    ] = None,
    balance: Annotated[
        Balance | None,
        typer.Option(help="What rare species count while the crop classifier learns; as the champion's if not given."),
    ] = None,
    by_sampling: Annotated[
        bool | None,
        typer.Option("--by-sampling/--by-weight", help="Show rare species more often, or count them more; finetune."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same model on one machine.")] = 0,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Times to go through all images; each head's own recipe where not given."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also where nothing was said since the last training.")
    ] = False,
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Only where the schedule says so; see cli schedule show.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Train a candidate from all corrections and labels; it serves only if it is better on cameras it has not seen.

    One retraining runs at a time: asked for beside another one it ends with exit code 1. Candidate and champion answer
    the same held-out images; the gate compares them.
    """
    from db.domain.retrainings import Occupied
    from worker.retraining.retrain import RetrainRequest

    ask = RetrainRequest(
        parts=parts,
        second_stage=SecondStageChoice(second_stage) if second_stage else None,
        balance=balance,
        by_sampling=by_sampling,
        seed=seed,
        epochs=epochs,
        again=again,
        command=shlex.join(["cli", *sys.argv[1:]]),
    )
    done = run_retraining(ask, if_due=if_due, quiet=as_json)
    report(done, as_json=as_json)
    if isinstance(done, Occupied) and not if_due:
        raise typer.Exit(1)


def run_retraining(ask: RetrainRequest, *, if_due: bool, quiet: bool) -> RetrainOutcome | Occupied:
    """Return what came of a retraining, with a bar for each of its stages."""
    from cli.schedule import when_next
    from cli.shared.progress import stage_bars
    from cli.shared.watch import warn
    from db.domain.retrainings import Occupied
    from worker.retraining.rerank import work_off
    from worker.retraining.retrain import RetrainOutcome
    from worker.retraining.retrain import retrain as run
    from worker.retraining.schedule import look, retrain_if_due

    settings, engine = opened()
    with stage_bars(quiet=quiet) as show:
        ask_for = retrain_if_due if if_due else run
        done = ask_for(engine, settings, ask, progress=show)
    if isinstance(done, RetrainOutcome) and done.kept is not None:
        work_off(engine, settings, done.kept.job_ids, tell=warn)
    return done or Occupied(f"nothing is due; {when_next(look(engine, settings))}")


def report(done: RetrainOutcome | Occupied, *, as_json: bool) -> None:
    """Say what came of a retraining."""
    from db.domain.retrainings import Occupied

    if isinstance(done, Occupied):
        typer.echo(json.dumps({"state": "not begun", "note": done.reason}) if as_json else f"{done.reason}; not begun")
        return
    if as_json:
        typer.echo(json.dumps(_plain(done)))
        return
    _tell(done)


def _tell(done: RetrainOutcome) -> None:
    entries = done.dataset.entries
    held = sum(entry.held_out for entry in entries)
    origins = {origin: sum(entry.origin == origin for entry in entries) for origin in ("correction", "label")}
    typer.echo(
        f"data set {done.dataset.dataset_id}: {len(entries)} images, {origins['correction']} corrected, "
        f"{origins['label']} labelled, {len(entries) - sum(origins.values())} that the champion is sure of; "
        f"evaluated on {held} images of {', '.join(done.dataset.held_out_cameras)}"
    )
    for file, reason in done.unreadable[:_SHOWN]:
        say(f"  left out: {file}: {reason}", fg=typer.colors.YELLOW, err=True)
    if done.second_stage_missing:
        typer.echo(f"without a second stage: {done.second_stage_missing}")
    if done.kept is None:
        typer.echo(f"{done.note}; `cli retrain --again` trains all the same")
        return
    typer.echo(f"{'':20} {'champion':>10} {'candidate':>10}")
    for name in _FIGURES:
        typer.echo(f"{name:20} {done.kept.champion_figures[name]:10.3f} {done.kept.figures[name]:10.3f}")
    typer.echo(f"model {done.kept.model_id} {_CAME[done.state]}:")
    for line in note_lines(done.note):
        typer.echo(f"  {line}")


def _plain(done: RetrainOutcome) -> dict[str, object]:
    return {
        "state": str(done.state),
        "note": done.note,
        "dataset": done.dataset.dataset_id,
        "dataset_sha256": done.dataset.sha256,
        "images": len(done.dataset.entries),
        "held_out_cameras": list(done.dataset.held_out_cameras),
        "unreadable": [list(one) for one in done.unreadable],
        "model": done.kept.model_id if done.kept else None,
        "champion": done.kept.champion_id if done.kept else None,
        "figures": asdict(done.kept)["figures"] if done.kept else None,
        "champion_figures": asdict(done.kept)["champion_figures"] if done.kept else None,
    }
