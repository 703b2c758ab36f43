"""The commands that take data out for good: a job's, a trip's, a person's. Images of the site are never touched."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import opened
from cli.shared.watch import shown_path

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from db.settings import Settings
    from db.store.removal import Removed

app = typer.Typer(help="Remove what is held of a job, a trip or a person, for good.", no_args_is_help=True)

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines; asks for --yes.")]


@app.command("job")
def delete_job(
    job: Annotated[int, typer.Argument(help="The job's number, as `cli status` shows it.", min=1)],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove a job with its predictions, crops and corrections; labels that were imported and all images stay."""
    from db.store.removal import remove_job

    _remove(f"job {job}", lambda session: remove_job(session, job), yes=yes, as_json=as_json)


@app.command("trip")
def delete_trip(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The trip's folder, or its URL; it need not be there.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove what is held of every image below DIR, in whichever job; labels that were imported and all images stay."""
    from db.domain.places import is_url
    from db.store.removal import remove_folder

    path = os.fsencode(folder)
    path = path if is_url(path) else os.path.abspath(path)
    _remove(f"all below {shown_path(path)}", lambda session: remove_folder(session, path), yes=yes, as_json=as_json)


@app.command("person")
def delete_person(
    name: Annotated[str, typer.Argument(help="The reviewer's name, as their corrections have it.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove every correction of a person; models that learnt from them stay as they are."""
    from db.store.removal import remove_person

    _remove(f"all answers of {name!r}", lambda session: remove_person(session, name), yes=yes, as_json=as_json)


@app.command("features")
def delete_features() -> None:
    """Remove all features of images that are kept for new heads (TAFFRAIL_KEPT_FEATURES_MIB)."""
    from db.settings import get_settings
    from worker.storage.kept_features import forget_all

    held = forget_all(get_settings().home)
    typer.echo(f"removed the kept features of {held.images} images, {held.mib:.1f} MiB; no image was touched")


def _remove(what: str, remove: Callable[[Session], Removed], *, yes: bool, as_json: bool) -> None:
    """Count first, ask, and then remove: what is refused or declined changes nothing."""
    from db.session import transaction
    from worker.storage.kept_features import forget_all

    settings, engine = opened()
    if not yes:
        if as_json:
            raise typer.BadParameter("--json cannot ask; give --yes, too")
        typer.echo(f"{what}: {_words(_would_remove(engine, remove))}", err=True)
        typer.confirm("Remove this for good? The images themselves stay where they are.", abort=True, err=True)
    with transaction(engine) as session:
        removed = remove(session)
    crops = _remove_crops(settings, removed.crops)
    forget_all(settings.home)  # of whatever images: they are made again as they are asked for
    if as_json:
        typer.echo(json.dumps({"removed": {**+removed.counts, "crops": crops}}))
    else:
        typer.echo(f"removed {what}: {_words(removed)}, {crops} crop files; no image was touched")


class _OnlyCounted(Exception):
    """Takes a removal back that was made to count it."""


def _would_remove(engine: Engine, remove: Callable[[Session], Removed]) -> Removed:
    from db.session import transaction

    found: list[Removed] = []
    try:
        with transaction(engine) as session:
            found.append(remove(session))
            raise _OnlyCounted
    except _OnlyCounted:
        return found[0]


def _words(removed: Removed) -> str:
    found = [(count, name if count > 1 else name.removesuffix("s")) for name, count in removed.counts.items() if count]
    return ", ".join(f"{count} {name}" for count, name in found) or "nothing is held of it"


def _remove_crops(settings: Settings, names: list[str]) -> int:
    """Return how many crop files were removed from HOME; those in an object store are named by the settings' URL."""
    if settings.artifacts:
        if names:
            typer.echo(f"{len(names)} crops lie in {settings.artifacts}; remove them there: crops/<hash>-*", err=True)
        return 0
    count = 0
    for name in names:
        file = settings.home / name
        if file.is_file():
            file.unlink()
            count += 1
    return count
