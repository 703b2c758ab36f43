"""The commands of the cameras: which images were taken by which, and correcting it."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.fish_sizes import scale_command
from cli.shared.cameras import _shown, find_with_bar, tell_cameras
from cli.shared.context import opened

if TYPE_CHECKING:
    from db.domain.cameras import CameraImage, CameraSummary

app = typer.Typer(help="See and correct which camera took which image.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]


app.command("scale")(scale_command)


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List every camera with its images, species, image sizes, how it is known, and an example."""
    from db.session import reading
    from db.store.cameras import list_cameras

    _, engine = opened()
    with reading(engine) as session:
        cameras = list_cameras(session)
    if as_json:
        typer.echo(json.dumps([_as_json(camera) for camera in cameras], indent=2))
    elif not cameras:
        typer.echo("no images yet; `cli labels import` or `cli enqueue` brings them in")
    for camera in cameras if not as_json else []:
        species = ", ".join(f"{name} {count}" for name, count in camera.species.items()) or "no labels"
        known = ", ".join(camera.origins)
        typer.echo(f"{camera.name:24} {camera.images:6} images  {', '.join(camera.sizes)}  by {known}")
        typer.echo(f"    {species}; such as {_shown(camera.example)}")


@app.command("find")
def find_command(
    images: Annotated[
        Path | None, typer.Option(help="Only images below this folder; all that are held where it is not given.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also where folders tell the cameras; they are found anew.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find the cameras of images by metadata, or else by image size and still background.

    What was set by hand stays. Where folders tell the cameras nothing is changed, but for --all.
    """
    from worker.cameras.find import folders_tell, images_below

    settings, engine = opened()
    held = images_below(engine, os.fsencode(images) if images else None)
    if not held:
        raise typer.BadParameter("no images are held there; `cli labels import` or `cli enqueue` brings them in")
    if not every and folders_tell(held, settings.label_set):
        names = {image.camera for image in held}
        typer.echo(f"the folders tell the cameras ({len(names)} of them); --all finds them by background all the same")
        return
    found = find_with_bar(engine, held, quiet=as_json)
    if as_json:
        unreadable = [[_shown(file), reason] for file, reason in found.unreadable]
        typer.echo(json.dumps({**asdict(found), "unreadable": unreadable}, indent=2))
    else:
        tell_cameras(found)
    if found.unreadable:
        raise typer.Exit(1)


@app.command("set")
def set_command(
    pattern: Annotated[
        str, typer.Argument(metavar="PATTERN", help="Shell pattern of image paths, such as '*/trip7/*.jpg'.")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The camera that took them.")],
) -> None:
    """Say which camera took the images whose paths fit PATTERN; it is never found otherwise again."""
    from db.domain.cameras import CameraOrigin
    from db.session import transaction
    from db.store.cameras import camera_images, set_cameras

    _, engine = opened()
    with transaction(engine) as session:
        fitting = [one for one in camera_images(session) if _fits(os.fsdecode(one.file), pattern)]
        if not fitting:
            raise typer.BadParameter(f"{pattern!r} fits no image that is held; `cli cameras list` shows examples")
        try:
            set_cameras(session, {one.image_id: name for one in fitting}, origin=CameraOrigin.PERSON)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    typer.echo(f"{len(fitting)} images are of camera {name}")


@app.command("merge")
def merge_command(
    source: Annotated[str, typer.Argument(metavar="A", help="The camera to put into the other; it is gone then.")],
    target: Annotated[str, typer.Argument(metavar="B", help="The camera that stays.")],
) -> None:
    """Put camera A into camera B: they are one."""
    from db.session import transaction
    from db.store.cameras import merge_cameras

    _, engine = opened()
    try:
        with transaction(engine) as session:
            moved = merge_cameras(session, source=source, target=target)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(f"{moved} images of {source} are of camera {target} now")


@app.command("sheet")
def sheet_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write the PNGs to.")],
) -> None:
    """Draw a contact sheet of every camera into DIR, and cameras.png with all their backgrounds."""
    from cli.shared.progress import progress_bar
    from worker.cameras.find import images_below
    from worker.cameras.sheet import write_sheets

    _, engine = opened()
    by_camera: dict[str, list[CameraImage]] = defaultdict(list)
    for image in images_below(engine, None):
        by_camera[image.camera].append(image)
    if not by_camera:
        raise typer.BadParameter("no images are held yet; `cli labels import` or `cli enqueue` brings them in")
    with progress_bar("cameras") as bar:
        task = bar.add_task("drawing", total=len(by_camera))
        files = write_sheets(by_camera, folder, progress=lambda done, total: bar.update(task, completed=done))
    typer.echo(f"{len(files)} sheets; begin with {files[0]}" if files else "no image could be read")


def _fits(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern) or fnmatchcase(path, f"*/{pattern}")


def _as_json(camera: CameraSummary) -> dict[str, Any]:
    return {**asdict(camera), "example": _shown(camera.example)}
