"""The command that writes a folder for a person: `cli review export`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import end_with, model_or_champion, opened

if TYPE_CHECKING:
    from random import Random

    from sqlalchemy import Engine

    from annotator.export.export_flagged import Wish
    from annotator.export.write import WrittenExport
    from db.store.review_queue import QueueFilter


class PicturesAs(StrEnum):
    """How pictures come into the folder."""

    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


def export_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder to write.")],
    count: Annotated[int, typer.Option(min=1, help="Pictures at most.")] = 100,
    below: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Chance to be right below which a picture is flagged."),
    ] = None,
    species: Annotated[str | None, typer.Option(help="Only pictures predicted as this species.")] = None,
    camera: Annotated[str | None, typer.Option(help="Only pictures of this camera.")] = None,
    random_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of agreed pictures mixed in by chance, 0 to 1.")
    ] = 0.1,
    overlap: Annotated[bool, typer.Option("--overlap", help="Also pictures handed out or answered before.")] = False,
    open_cases: Annotated[
        bool, typer.Option("--open-cases", help="Only pictures on which people differ, for one more opinion.")
    ] = False,
    pictures: Annotated[PicturesAs, typer.Option(help="How pictures come into the folder.")] = PicturesAs.COPY,
    model: Annotated[str | None, typer.Option(help="Model version; the champion where not given.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the choice by chance; any where not given.")] = None,
    images: Annotated[
        str | None,
        typer.Option("--from", metavar="PICTURES", help="Before there is a model: the folder or URL to choose from."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Write the pictures most worth looking at to DIR, for labelme; the originals are never touched.

    Before there is a model these are pictures that differ, as many of every camera: name their folder with --from.
    """
    from random import Random

    from annotator.export.export_flagged import Wish
    from annotator.export.image_files import Pictures
    from cli.review.cold_start import export_first
    from cli.review.fetch import fetch_url
    from db.store.review_queue import QueueFilter

    settings, engine = opened()
    rng = Random(seed)
    if species is not None:
        settings.label_set.index(species)
    wish = Wish(count, random_share, settings.label_set, Pictures(pictures.value), fetch_url)
    asks_opinions = open_cases or any(given is not None for given in (model, species, below))
    if not asks_opinions and not _has_champion(engine):
        written = export_first(
            folder,
            wish,
            engine=engine,
            settings=settings,
            images=images,
            camera=camera,
            handed_out=overlap,
            rng=rng,
            quiet=as_json,
        )
    elif images is not None:
        raise typer.BadParameter("--from is for the first pictures, before there is a model; cli enqueue brings others")
    else:
        wanted = QueueFilter(
            model_version=model_or_champion(engine, model),
            below=settings.flag_below if below is None else below,
            species=species,
            camera=camera,
            handed_out=overlap,
        )
        written = _export_doubtful(folder, wanted, wish, engine=engine, open_cases=open_cases, rng=rng)
    if as_json:
        report = {"export": written.export_id, "folder": str(folder), "pictures": len(written.items)}
        typer.echo(json.dumps({**report, "problems": written.problems}))
    else:
        typer.echo(f"{folder}: {len(written.items)} pictures to look at; next: cli review open {folder}")
    end_with(written.problems, told=as_json)


def _has_champion(engine: Engine) -> bool:
    from db.session import reading
    from db.store.model_versions import champion_id

    with reading(engine) as session:
        return champion_id(session) is not None


def _export_doubtful(
    folder: Path, wanted: QueueFilter, wish: Wish, *, engine: Engine, open_cases: bool, rng: Random
) -> WrittenExport:
    from dataclasses import replace

    from annotator.export.export_flagged import hand_out
    from cli.review.regions import outlines_for
    from db.session import reading
    from db.store.model_versions import frame_of_model

    with reading(engine) as session:
        frame = frame_of_model(session, wanted.model_version)
    shown = wish if frame is None else replace(wish, regions_of=outlines_for(frame))
    contents = _open_cases(engine) if open_cases else None
    return hand_out(folder, wanted, shown, engine=engine, rng=rng, contents=contents)


def _open_cases(engine: Engine) -> tuple[str, ...]:
    from annotator.corrections.reviewers import compare_reviewers
    from db.session import reading
    from db.store.reviews import answers_by_reviewer

    with reading(engine) as session:
        return compare_reviewers(answers_by_reviewer(session)).open_cases
