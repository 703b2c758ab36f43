"""The command that tells whether something besides the fish gives the species away: `cli audit leakage`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import opened

if TYPE_CHECKING:
    from db.domain.leakage import Interval, SplitGap
    from worker.steps.requests import LeakageResult


def audit_leakage_command(
    model: Annotated[str | None, typer.Option(help="Whose heat maps to look at; the champion's by default.")] = None,
    trunk: Annotated[str | None, typer.Option(help="The network that sees the images; the model's own.")] = None,
    weights: Annotated[str | None, typer.Option(help="imagenet, random, or a file; the model's own.")] = None,
    size: Annotated[
        str | None, typer.Option(help="Rows x columns of the network's input, pixels; the model's own.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random parts that answer for each other.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Tell whether image size, camera or background give the species away, and what that does to the figures.

    Each is asked for the species of every labelled image, learnt from other images of the same cameras.
    """
    from cli.shared.steps import rows_columns, run_with_bar, tell_left_out
    from worker.steps.requests import AUDIT_LEAKAGE, LeakageRequest

    opened()
    input_hw = rows_columns(size) if size else None
    request = LeakageRequest(model=model, trunk=trunk, weights=weights, input_hw=input_hw, seed=seed)
    done = run_with_bar(AUDIT_LEAKAGE, request, quiet=as_json)
    if as_json:
        typer.echo(done.as_json())
    else:
        _tell(done)
        tell_left_out(done)
    if done.unreadable:
        raise typer.Exit(1)


def _tell(done: LeakageResult) -> None:
    species = ", ".join(f"{name} {count}" for name, count in sorted(done.species.items()))
    typer.echo(f"{done.images} labelled images of {done.cameras} cameras ({species})")
    head = f"{'right':>6} {'balanced':>9} {'it tells (95 %)':>22} {'of a planted 10 %':>18}"
    typer.echo(f"\n{'asked for the species, the fish unseen':40} {head}  verdict")
    first = done.cues[0]
    typer.echo(f"{'always ' + done.majority:40} {first.majority_accuracy:6.3f} {first.majority_balanced:9.3f}")
    for cue in done.cues:
        planted = f"{cue.control.value:.1%}" if cue.control else ""
        right = f"{cue.accuracy:6.3f} {cue.balanced_accuracy:9.3f}"
        typer.echo(f"{cue.name:40} {right} {_share(cue.told):>22} {planted:>18}  {cue.verdict}")
    if done.boxless:
        typer.echo(f"(the background: without {done.boxless} images whose fish nobody boxed)")
    _tell_gap(done.gap)
    _tell_heat(done)
    typer.echo(f"\n{done.sentence}")


def _tell_gap(gap: SplitGap) -> None:
    typer.echo("\nwhole images, a linear probe            right  log loss")
    typer.echo(f"cameras it knows (random split)          {gap.known_accuracy:6.3f} {gap.known_log_loss:9.3f}")
    typer.echo(f"cameras it has not seen                  {gap.unseen_accuracy:6.3f} {gap.unseen_log_loss:9.3f}")
    flatters = gap.accuracy_gap
    typer.echo(f"a random split flatters by {flatters.value:.3f} ({flatters.low:.3f} to {flatters.high:.3f})")


def _tell_heat(done: LeakageResult) -> None:
    heat = done.heat
    if heat is None:
        typer.echo(f"\nheat maps: {done.no_heat}")
        return
    typer.echo(f"\nmodel {heat.model}, {heat.images} images of {heat.cameras} cameras it has not seen:")
    typer.echo(f"{_share(heat.outside)} of the heat lies beside the fish, as does {heat.even:.1%} of the image")


def _share(told: Interval) -> str:
    return f"{told.value:.1%} ({told.low:.1%} to {told.high:.1%})"
