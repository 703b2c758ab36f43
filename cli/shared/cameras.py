"""Finds and tells cameras for every command that needs them."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import typer

from cli.shared.terminal import say

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from db.domain.cameras import CameraImage
    from db.settings import Settings
    from worker.cameras.find import FoundCameras

_SHOWN = 10


def find_where_untold(engine: Engine, root: bytes, settings: Settings, *, quiet: bool) -> FoundCameras | None:
    """Return the cameras found below a folder where its folders do not tell them; None where they do."""
    from worker.cameras.find import folders_tell, images_below

    images = images_below(engine, root)
    return None if folders_tell(images, settings.label_set) else find_with_bar(engine, images, quiet=quiet)


def find_with_bar(engine: Engine, images: list[CameraImage], *, quiet: bool) -> FoundCameras:
    """Find cameras behind a progress bar."""
    from cli.shared.progress import progress_bar
    from worker.cameras.find import find_cameras

    with progress_bar("images", quiet=quiet) as bar:
        task = bar.add_task("cameras", total=len(images))
        return find_cameras(engine, images, progress=lambda done, total: bar.update(task, completed=done))


def find_in_job(engine: Engine, settings: Settings, job_id: int, folder: bytes, *, quiet: bool) -> None:
    """Find and tell the cameras of a job's new images where its folders do not tell them; a store's are not read."""
    from cli.shared.progress import progress_bar
    from db.domain.places import is_url
    from worker.cameras.find_in_job import find_job_cameras

    if is_url(folder):
        return
    with progress_bar("images", quiet=quiet) as bar:
        task = bar.add_task("cameras", total=None)
        done = find_job_cameras(
            engine,
            settings,
            job_id,
            os.path.realpath(folder),
            progress=lambda count, total: bar.update(task, completed=count, total=total),
        )
    if quiet:
        return
    if done.too_many:
        typer.echo(f"{done.too_many} images in one folder, or sorted by species, count as one camera a folder;")
        typer.echo(f"  if they are of several: cli cameras find --images {shlex.quote(_shown(folder))}")
    elif done.found is not None and done.found.cameras:
        tell_untold(done.found)


def tell_untold(found: FoundCameras) -> None:
    """Say why cameras were looked for without being asked, and what was found."""
    typer.echo("the folders tell no cameras (species, or one for all), so these were found:")
    tell_cameras(found)


def tell_same_named(engine: Engine, root: bytes) -> None:
    """Tell cameras below a folder that another boat's camera shares its name with, and how to say that they are one."""
    from db.session import reading
    from db.store.cameras import same_named

    with reading(engine) as session:
        found = same_named(session, root)
    for name, other in found:
        typer.echo(f"camera {other!r} is of another place already, so this one is {name!r}; if they are one:")
        typer.echo(f"  cli cameras merge {name!r} {other!r}")


def tell_cameras(found: FoundCameras) -> None:
    """Say what a search found and how to look at it."""
    how = f", {found.by_metadata} images by their metadata" if found.by_metadata else " by size and background"
    typer.echo(f"{len(found.cameras)} cameras of {found.looked_at} images{how}")
    if found.left:
        typer.echo(f"  {found.left} images keep the camera that a person gave them")
    if found.alone:
        typer.echo(f"  {found.alone} images are like no other; each is a camera of its own")
    typer.echo(
        "  look at them: cli cameras sheet DIR; correct them: cli cameras merge A B, cli cameras set PATTERN NAME"
    )
    for file, reason in found.unreadable[:_SHOWN]:
        say(f"  left out: {_shown(file)}: {reason}", fg=typer.colors.YELLOW, err=True)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
