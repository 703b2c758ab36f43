"""The command that writes a folder for a person: `cli review export`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import end_with, model_or_champion, opened

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from annotator.export.export_flagged import ReviewExportOptions
    from annotator.export.write import WrittenExport

_SHOWN_CAMERAS = 5


class By(StrEnum):
    """What a person is asked about."""

    IMAGE = "image"
    EVENT = "event"


class ImagesAs(StrEnum):
    """How images come into the folder."""

    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


def export_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder to write.")],
    count: Annotated[int, typer.Option(min=1, help="Images at most.")] = 100,
    below: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Chance to be right below which an image is flagged."),
    ] = None,
    species: Annotated[str | None, typer.Option(help="Only images predicted as this species.")] = None,
    camera: Annotated[str | None, typer.Option(help="Only images of this camera.")] = None,
    random_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of agreed images mixed in by chance, 0 to 1.")
    ] = 0.1,
    overlap: Annotated[bool, typer.Option("--overlap", help="Also images exported or answered before.")] = False,
    open_cases: Annotated[
        bool, typer.Option("--open-cases", help="Only images on which people differ, for one more answer.")
    ] = False,
    outlines: Annotated[
        bool, typer.Option("--outlines", help="Also outline what the other predictions show; no fish until touched.")
    ] = False,
    images: Annotated[ImagesAs, typer.Option(help="How images come into the folder.")] = ImagesAs.COPY,
    model: Annotated[str | None, typer.Option(help="Model version; the champion where not given.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the choice by chance; any where not given.")] = None,
    by: Annotated[
        By, typer.Option(help="Ask about images, or once about each animal: an event's best image.")
    ] = By.IMAGE,
    job: Annotated[
        int | None, typer.Option(min=1, help="With --by event: the job whose events are asked about.")
    ] = None,
    images_from: Annotated[
        str | None,
        typer.Option("--from", metavar="IMAGES", help="Before there is a model: the folder or URL to choose from."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Write the images most worth looking at to DIR, for labelme; the originals are never touched.

    First come four likely images of each camera whose fish size nobody told: three boxes on it help most.

    Before there is a model these are images that differ, as many of every camera: name their folder with --from.
    """
    from random import Random

    from annotator.export.export_events import export_events
    from annotator.export.export_flagged import ReviewExportOptions, export_flagged
    from annotator.export.image_files import Images
    from cli.review.cold_start import export_first
    from cli.review.fetch import fetch_url
    from db.session import reading
    from db.store.cameras import check_camera
    from db.store.review_queue import QueueFilter

    settings, engine = opened()
    if camera is not None and images_from is None:
        with reading(engine) as session:
            check_camera(session, camera)
    rng = Random(seed)
    if species is not None:
        settings.label_set.index(species)
    options = ReviewExportOptions(count, random_share, settings.label_set, Images(images.value), fetch_url)
    if (by is By.EVENT) != (job is not None):
        raise typer.BadParameter("--by event and --job JOB belong together")
    asks_predictions = open_cases or any(given is not None for given in (model, species, below))
    if job is not None:
        written = export_events(
            folder,
            job,
            options,
            engine=engine,
            model_version=model_or_champion(engine, model),
            species=species,
            camera=camera,
            again=overlap,
        )
    elif not asks_predictions and not _has_champion(engine):
        written = export_first(
            folder,
            options,
            engine=engine,
            settings=settings,
            images_from=images_from,
            camera=camera,
            handed_out=overlap,
            rng=rng,
            quiet=as_json,
        )
    elif images_from is not None:
        raise typer.BadParameter("--from is for the first images, before there is a model; cli enqueue brings others")
    else:
        wanted = QueueFilter(
            model_version=model_or_champion(engine, model),
            below=settings.flag_below if below is None else below,
            species=species,
            camera=camera,
            handed_out=overlap,
        )
        shown = _with_outlines(options, wanted.model_version, engine=engine) if outlines else options
        contents = _open_cases(engine) if open_cases else None
        written = export_flagged(folder, wanted, shown, engine=engine, rng=rng, contents=contents)
    _tell(folder, written, as_json=as_json)
    end_with(written.problems, told=as_json)


def _tell(folder: Path, written: WrittenExport, *, as_json: bool) -> None:
    """Say what was written."""
    if as_json:
        report = {
            "export": written.export_id,
            "folder": str(folder),
            "images": len(written.items),
            "duplicates": sum(len(one.item.duplicates) for one in written.items),
            "first_boxes": sum(one.item.first_of is not None for one in written.items),
            "problems": written.problems,
        }
        typer.echo(json.dumps(report))
        return
    alike = sum(len(one.item.duplicates) for one in written.items)
    also = f", which answer {alike} near-duplicates of them, too" if alike else ""
    typer.echo(f"{folder}: {len(written.items)} images to look at{also}; next: cli review open {folder}")
    _tell_first(written)


def _tell_first(written: WrittenExport) -> None:
    """Say which images come first to tell new cameras' fish sizes."""
    first = [one.item.first_of for one in written.items if one.item.first_of is not None]
    if first:
        cameras = sorted(set(first))
        named = ", ".join(cameras[:_SHOWN_CAMERAS]) + (" ..." if len(cameras) > _SHOWN_CAMERAS else "")
        typer.echo(
            f"the first {len(first)} are of cameras whose fish size nobody told ({named}): three boxes on each are "
            "worth most; import them, then cli enqueue DIR --stale"
        )


def _has_champion(engine: Engine) -> bool:
    from db.session import reading
    from db.store.model_versions import champion_id

    with reading(engine) as session:
        return champion_id(session) is not None


def _with_outlines(options: ReviewExportOptions, model_version: str, *, engine: Engine) -> ReviewExportOptions:
    from dataclasses import replace

    from cli.review.outlines import outlines_for
    from db.session import reading
    from db.store.model_versions import frame_of_model

    with reading(engine) as session:
        frame = frame_of_model(session, model_version)
    return options if frame is None else replace(options, outlines_of=outlines_for(frame))


def _open_cases(engine: Engine) -> tuple[str, ...]:
    from annotator.corrections.reviewers import compare_reviewers
    from db.session import reading
    from db.store.reviews import answers_by_reviewer

    with reading(engine) as session:
        return compare_reviewers(answers_by_reviewer(session)).open_cases
