"""The command that tells how large a camera shows its fish: `cli cameras scale`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.shared.context import opened
from db.domain.train_choices import INPUT_HW, DetectorKind

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from db.domain.fish_size import FishSize

_HOW = {"person": "as told", "labels": "by labelled boxes", "estimate": "an estimate; three drawn boxes are better"}


def scale_command(
    camera: Annotated[
        str | None, typer.Argument(metavar="[CAMERA]", help="The camera; all are shown where none is given.")
    ] = None,
    fish_px: Annotated[
        float | None,
        typer.Option(
            min=1,
            metavar="N",
            help="The size of a typical fish: the root of its box's area, pixels of the camera's images.",
        ),
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Go by the camera's labels again, or by an estimate.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Show or set how large cameras show their fish; images are brought to one size by it before they are answered.

    Without --fish-px the size is told by labelled and corrected boxes, three are enough, or else estimated when images
    of the camera are enqueued. Another size makes answers stale: `cli enqueue DIR --stale` asks again.
    """
    if camera is None and (fish_px is not None or forget):
        raise typer.BadParameter("--fish-px and --forget are of one camera; name it")
    _, engine = opened()
    names = _names(engine, camera)
    if camera is not None and (fish_px is not None or forget):
        _change(engine, camera, None if forget else fish_px)
    rows = _rows(engine, names)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    for row in rows if not as_json else []:
        typer.echo(_line(row))
    if not rows and not as_json:
        typer.echo("no cameras yet; `cli labels import` or `cli enqueue` brings images in")


def _names(engine: Engine, camera: str | None) -> list[str]:
    from db.session import reading
    from db.store.cameras import camera_names

    with reading(engine) as session:
        held = sorted(camera_names(session))
    if camera is None:
        return held
    if camera not in held:
        raise typer.BadParameter(f"camera {camera!r}: not held; `cli cameras scale` lists those that are")
    return [camera]


def _change(engine: Engine, camera: str, fish_px: float | None) -> None:
    """Hold what was told of a camera, or forget it. fish_px: pixels of the camera's own images."""
    from db.domain.fish_size import FishSize, FishSizeOrigin, nominal_scale
    from db.session import transaction
    from db.store.fish_sizes import forget_fish_size, image_size_of, set_fish_size

    with transaction(engine) as session:
        if fish_px is None:
            forget_fish_size(session, camera)
            return
        size = image_size_of(session, camera)
        if size is None:
            raise typer.BadParameter(f"camera {camera}: the size of its images is not known yet; enqueue them first")
        try:
            nominal_px = fish_px * nominal_scale(width_px=size[0], height_px=size[1])
            told = FishSize(nominal_px, FishSizeOrigin.PERSON)
        except ValueError as error:
            raise typer.BadParameter(f"--fish-px {fish_px:g}: {error}") from None
        set_fish_size(session, camera, told)


def _rows(engine: Engine, cameras: list[str]) -> list[dict[str, Any]]:
    from db.session import transaction
    from db.store.fish_sizes import fish_sizes, sizes_from_labels

    with transaction(engine) as session:
        sizes_from_labels(session)
        held = fish_sizes(session)
    return [_row(camera, held.get(camera)) for camera in cameras]


def _row(camera: str, size: FishSize | None) -> dict[str, Any]:
    from db.domain.fish_size import step_for

    # Zooms and costs do not depend on the base input.
    step = step_for(size.fish_px if size else None, INPUT_HW[DetectorKind.CENTRE])
    known = {"fish_px": round(size.fish_px, 1), "known": str(size.origin)} if size else {"fish_px": None, "known": None}
    return {"camera": camera, **known, "zoom": step.zoom, "cost": round(step.cost, 2)}


def _line(row: dict[str, Any]) -> str:
    if row["fish_px"] is None:
        return f"{row['camera']:24} fish size not known; estimated when its images are enqueued"
    how = _HOW[row["known"]]
    return (
        f"{row['camera']:24} fish of {row['fish_px']:g} pixels in a frame of 640 x 360 ({how}); shown at "
        f"{row['zoom']:g} times the base input, {row['cost']:g} times its work"
    )
