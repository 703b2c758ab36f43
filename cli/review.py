"""The commands of a review: export the doubtful pictures, open them in labelme, import what people did."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Engine

    from annotator.import_corrections import ImportSummary
    from db.domain.labels import ImageLabel

app = typer.Typer(help="Show people the doubtful pictures in labelme, and learn what they say.", no_args_is_help=True)

PROBLEMS_FOUND = 1


class PicturesAs(StrEnum):
    """How pictures come into the folder."""

    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


ReviewerOption = Annotated[
    str | None, typer.Option("--reviewer", help="Who reviewed; the name of this machine's user where not given.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@app.command("export")
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
    as_json: JsonOption = False,
) -> None:
    """Write the pictures most worth looking at to DIR, for labelme; the originals are never touched."""
    from random import Random

    from annotator.handout import Wish, hand_out, no_regions
    from annotator.picture_files import Pictures
    from cli.review_pictures import fetch_url
    from cli.review_regions import outlines_for
    from db.session import reading
    from db.settings import get_settings
    from db.store.review_queue import QueueFilter, frame_of_model

    settings = get_settings()
    if species is not None:
        settings.label_set.index(species)
    engine = open_store()
    version = model_or_champion(engine, model)
    with reading(engine) as session:
        frame = frame_of_model(session, version)
    written = hand_out(
        folder,
        QueueFilter(
            model_version=version,
            below=settings.flag_below if below is None else below,
            species=species,
            camera=camera,
            handed_out=overlap,
        ),
        Wish(
            count=count,
            random_share=random_share,
            label_set=settings.label_set,
            pictures=Pictures(pictures.value),
            fetch=fetch_url,
            regions_of=no_regions if frame is None else outlines_for(frame),
        ),
        engine=engine,
        rng=Random(seed),
        contents=_open_cases(engine) if open_cases else None,
    )
    if as_json:
        report = {"export": written.export_id, "folder": str(folder), "pictures": len(written.items)}
        typer.echo(json.dumps({**report, "problems": written.problems}))
    else:
        typer.echo(f"{folder}: {len(written.items)} pictures to look at; next: cli review open {folder}")
    _end(written.problems, told=as_json)


@app.command("open")
def open_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `cli review export` wrote.")],
    reviewer: ReviewerOption = None,
) -> None:
    """Start labelme on DIR with our flags and species, and import what was done when it is closed."""
    from annotator.open_labelme import open_labelme

    code = open_labelme(folder)
    if code:
        typer.echo(f"labelme ended with exit code {code}; what it saved is imported", err=True)
    _import(folder, reviewer=reviewer, pictures=None, as_json=False)


@app.command("import")
def import_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Reviewed folder, or labelme's --output folder.")],
    reviewer: ReviewerOption = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Where the pictures lie, if labelme saved elsewhere and they moved.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Store what people did in DIR; safe to repeat, odd files are named and left out.

    What they said also moves the chance to be wrong, by which export chooses.
    """
    _import(folder, reviewer=reviewer, pictures=pictures, as_json=as_json)


@app.command("calibrate")
def calibrate_command(
    model: Annotated[str | None, typer.Option(help="Model version; the champion where not given.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the chance that a picture is wrong on what people answered; export then shows the likeliest first."""
    from annotator.doubt import calibrate_doubt
    from cli.progress import progress_bar

    engine = open_store()
    version = model_or_champion(engine, model)
    with progress_bar("predictions", quiet=as_json) as bar:
        task = bar.add_task("ranking", total=None)
        found = calibrate_doubt(
            engine,
            model_version=version,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        typer.echo(json.dumps({"model": version, **asdict(found)}))
        return
    fitted, rule = found.fitted, found.rule
    typer.echo(f"model {version}: {found.answers} answers of {found.cameras} cameras, {found.wrong} to wrong pictures")
    for name, one in (("fitted", fitted), ("agreement alone", rule)):
        typer.echo(
            f"  {name}, on cameras not fitted on: log loss {one.log_loss:.3f}, "
            f"calibration error {one.calibration_error:.3f}, ranking {one.ranking:.3f}"
        )
    typer.echo("the fit ranks from now on" if found.fit else "agreement alone is as good and ranks from now on")


@app.command("people")
def people_command(as_json: JsonOption = False) -> None:
    """Report where several people answered the same pictures differently."""
    from annotator.reviewers import compare_reviewers
    from db.session import reading
    from db.store.reviews import answers_by_reviewer

    with reading(open_store()) as session:
        found = compare_reviewers(answers_by_reviewer(session))
    if as_json:
        confusion = [{"species": pair, "times": times} for pair, times in found.confusion.items()]
        typer.echo(json.dumps({**asdict(found), "confusion": confusion}))
        return
    typer.echo(
        f"{found.pictures} pictures were answered by several people; {found.agreeing} of {found.pairs} pairs agree"
    )
    for (first, second), times in sorted(found.confusion.items(), key=lambda one: -one[1]):
        if first != second:
            typer.echo(f"  {first} against {second}: {times}")
    if found.mean_iou is not None:
        typer.echo(f"boxes around the same fish: mean IoU {found.mean_iou:.2f}")
    if found.open_cases:
        typer.echo(f"{len(found.open_cases)} still open; next: cli review export DIR --open-cases")


@app.command("simulate")
def simulate_command(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Exported folder to answer from the labels held.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="truth.json of a sample fleet to answer from, in place of the labels held.")
    ] = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="Share of the pictures looked at, 0 to 1.")] = 0.2,
    model: Annotated[str | None, typer.Option(help="Model version; the champion where not given.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random order.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Answer DIR as a person who knows the labels held would; without DIR, compare orders of looking.

    Orders are compared on the pictures that nobody was shown yet.
    """
    if folder is not None:
        _simulate_folder(folder, truth=truth, as_json=as_json)
    else:
        _simulate_orders(truth=truth, share=share, model=model, seed=seed, as_json=as_json)


def _simulate_folder(folder: Path, *, truth: Path | None, as_json: bool) -> None:
    from annotator.simulate import answer_folder, contents_of

    done = answer_folder(folder, _known(truth, lambda: contents_of(folder)))
    problems = tuple(f"{name}: no label is held of its picture, left as it was" for name in done.unknown)
    if as_json:
        typer.echo(json.dumps({"answered": done.answered, "problems": problems}))
    else:
        typer.echo(f"{folder}: {done.answered} pictures answered; next: cli review import {folder}")
    _end(problems, told=as_json)


def _simulate_orders(*, truth: Path | None, share: float, model: str | None, seed: int, as_json: bool) -> None:
    from random import Random

    from annotator.effort import review_effort
    from db.session import reading
    from db.settings import get_settings
    from db.store.doubts import refresh_doubts
    from db.store.review_queue import QueueFilter, load_candidates, waiting_predictions

    engine = open_store()
    version = model_or_champion(engine, model)
    refresh_doubts(engine, version)
    # Only what nobody was shown: the chance to be wrong may have been fitted on what was.
    wanted = QueueFilter(model_version=version, below=get_settings().flag_below)
    with reading(engine) as session:
        held = list(load_candidates(session, waiting_predictions(session, wanted), with_heatmaps=False).values())
    known = _known(truth, lambda: [candidate.sha256 for candidate in held])
    found = review_effort(held, known, looked_share=share, rng=Random(seed))
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    typer.echo(f"model {version}: {found.wrong} of {found.pictures} pictures with a known label are wrong")
    for name, part in found.shares.items():
        typer.echo(f"  looking at the first {share:.0%} by {name} finds {part:.0%} of them")


def _known(truth: Path | None, contents: Callable[[], Sequence[str]]) -> Mapping[str, ImageLabel]:
    """Return what is known of pictures, by content: a sample fleet's truth, or the labels held of some contents."""
    from db.session import reading
    from db.store.held_labels import labels_of
    from worker.sample_fleet.oracle import truth_by_content

    if truth is not None:
        return truth_by_content(truth)
    with reading(open_store()) as session:
        return labels_of(session, contents())


def _import(folder: Path, *, reviewer: str | None, pictures: Path | None, as_json: bool) -> None:
    from annotator.import_corrections import import_reviews
    from cli.progress import progress_bar
    from db.settings import get_settings

    engine = open_store()
    with progress_bar("files", quiet=as_json) as bar:
        task = bar.add_task("reading", total=None)
        summary = import_reviews(
            folder,
            engine=engine,
            label_set=get_settings().label_set,
            reviewer=getpass.getuser() if reviewer is None else reviewer,
            pictures=pictures,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    ranked = [model for model in summary.models if summary.added and _ranks_anew(engine, model)]
    _report_import(summary, ranked=ranked, as_json=as_json)


def _ranks_anew(engine: Engine, model: str) -> bool:
    from annotator.calibrate import TooFewAnswers
    from annotator.doubt import calibrate_doubt

    try:
        return calibrate_doubt(engine, model_version=model).fit is not None
    except TooFewAnswers:
        return False


def _report_import(summary: ImportSummary, *, ranked: list[str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**asdict(summary), "ranked_anew": ranked}))
    else:
        typer.echo(f"{summary.files} files: {summary.added} new answers, {summary.repeated} known before")
        for name, times in (*summary.outcomes.items(), *summary.changes.items()):
            typer.echo(f"  {name.value}: {times}")
        for model in ranked:
            typer.echo(f"what waits for a person is ranked anew by these answers (model {model})")
    _end(summary.problems, told=as_json)


def _end(problems: tuple[str, ...], *, told: bool) -> None:
    """Name what was left out, and end with 1 where something was."""
    if not problems:
        return
    for problem in () if told else problems:
        typer.echo(problem, err=True)
    raise typer.Exit(PROBLEMS_FOUND)


def _open_cases(engine: Engine) -> tuple[str, ...]:
    from annotator.reviewers import compare_reviewers
    from db.session import reading
    from db.store.reviews import answers_by_reviewer

    with reading(engine) as session:
        return compare_reviewers(answers_by_reviewer(session)).open_cases


def model_or_champion(engine: Engine, wanted: str | None) -> str:
    """Return the model version asked for, or the champion.

    Raises:
        NotFoundError: there is no such model, or none yet.
    """
    from db.errors import NotFoundError
    from db.session import reading
    from db.store.review_queue import champion_id, has_model

    with reading(engine) as session:
        if wanted is not None and not has_model(session, wanted):
            raise NotFoundError(f"model {wanted!r}: not held; cli models list shows those that are")
        found = wanted or champion_id(session)
    if found is None:
        raise NotFoundError("no model yet, so no opinions to look at; train one with cli train, or run cli demo")
    return found


def open_store() -> Engine:
    """Return the engine of the configured database."""
    from db.migrate import open_database
    from db.settings import get_settings, make_home

    settings = get_settings()
    make_home(settings.home)
    return open_database(settings.database)
