"""The command that tells how much the flags miss."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer


def audit_agreement_command(
    width: Annotated[float, typer.Option(min=0.001, max=1, help="Interval wanted, 0.001 to 1.")] = 0.1,
    below: Annotated[
        float | None, typer.Option(min=0, max=1, help="Chance to be right below which an image is flagged.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model version; the champion where not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Tell how many unflagged images are wrong, from the randomly drawn ones that people reviewed."""
    from annotator.uncertainty.audit import audit_agreement
    from cli.shared.context import model_or_champion, opened
    from db.settings import get_settings

    engine = opened()[1]
    flagged_below = get_settings().flag_below if below is None else below
    found = audit_agreement(engine, model_version=model_or_champion(engine, model), below=flagged_below, width=width)
    missed = found.missed
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    typer.echo(f"model {found.model_version}: {found.unflagged} unflagged images, {missed.reviewed} reviewed by chance")
    rate = "unknown" if missed.rate is None else f"{missed.rate:.1%}"
    typer.echo(f"wrong among them: {rate} ({missed.confidence:.0%} interval {missed.low:.1%} to {missed.high:.1%})")
    if found.out_of_reach:
        typer.echo(f"this says nothing of {found.out_of_reach} unflagged images of kinds from which none was drawn")
    if found.more is None or found.more > found.unflagged - missed.reviewed:
        typer.echo(f"only all {found.unflagged} would make the interval {width:g} wide")
    elif found.more:
        typer.echo(f"{found.more} more for an interval {width:g} wide: cli review export DIR --random-share 1")
