"""The command that answers in place of a person: `cli review simulate`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import end_with, model_or_champion, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from db.domain.labels import ImageLabel


def simulate_command(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Exported folder to answer from the labels held.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="truth.json of a sample fleet to answer from, in place of the labels held.")
    ] = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="Share of the images looked at, 0 to 1.")] = 0.2,
    model: Annotated[str | None, typer.Option(help="Model version; the champion where not given.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random order.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Answer DIR as a person who knows the labels held would; without DIR, compare orders of looking.

    Orders are compared on the images that nobody was shown yet.
    """
    if folder is not None:
        _simulate_folder(folder, truth=truth, as_json=as_json)
    else:
        _simulate_orders(truth=truth, share=share, model=model, seed=seed, as_json=as_json)


def _simulate_folder(folder: Path, *, truth: Path | None, as_json: bool) -> None:
    from annotator.simulation.oracle import answer_folder, contents_of

    done = answer_folder(folder, _known(truth, lambda: contents_of(folder)))
    problems = tuple(f"{name}: no label is held of its image, left as it was" for name in done.unknown)
    if as_json:
        typer.echo(json.dumps({"answered": done.answered, "problems": problems}))
    else:
        typer.echo(f"{folder}: {done.answered} images answered; next: cli review import {folder}")
    end_with(problems, told=as_json)


def _simulate_orders(*, truth: Path | None, share: float, model: str | None, seed: int, as_json: bool) -> None:
    from random import Random

    from annotator.simulation.effort import review_effort
    from db.session import reading
    from db.settings import get_settings
    from db.store.error_probabilities import refresh_error_probabilities
    from db.store.review_queue import QueueFilter, load_candidates, waiting_predictions

    engine = opened()[1]
    version = model_or_champion(engine, model)
    refresh_error_probabilities(engine, version)
    # Only what nobody was shown: the chance to be wrong may have been fitted on what was.
    wanted = QueueFilter(model_version=version, below=get_settings().flag_below)
    with reading(engine) as session:
        held = list(load_candidates(session, waiting_predictions(session, wanted), with_heatmaps=False).values())
    known = _known(truth, lambda: [candidate.sha256 for candidate in held])
    found = review_effort(held, known, looked_share=share, rng=Random(seed))
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    typer.echo(f"model {version}: {found.wrong} of {found.images} images with a known label are wrong")
    for name, part in found.shares.items():
        typer.echo(f"  looking at the first {share:.0%} by {name} finds {part:.0%} of them")


def _known(truth: Path | None, contents: Callable[[], Sequence[str]]) -> Mapping[str, ImageLabel]:
    """Return what is known of images, by content: a sample fleet's truth, or the labels held of some contents."""
    from db.session import reading
    from db.store.labels import labels_of
    from worker.sample_fleet.oracle import truth_by_content

    if truth is not None:
        return truth_by_content(truth)
    with reading(opened()[1]) as session:
        return labels_of(session, contents())
