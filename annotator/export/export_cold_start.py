"""The first folder for a person, before there is a model: images that differ, without any prediction of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import numpy as np
from sqlalchemy import Engine

from annotator.errors import ExportError
from annotator.export.export_flagged import ReviewExportOptions, write_recorded
from annotator.export.select import choose_varied
from annotator.export.write import ExportItem, WrittenExport
from db.domain.places import Place

WHY = "one of the first images: it differs from the others"


def export_cold_start(
    out: Path,
    places: Sequence[Place],
    features: Mapping[str, Sequence[float]],
    options: ReviewExportOptions,
    *,
    engine: Engine,
    rng: Random,
    camera: str | None = None,
) -> WrittenExport:
    """Return the folder written: images that differ most in what the trunk sees, from every camera as many.

    features: by content, of all channels; an image without any is left out. camera: what the choice was narrowed to.

    Raises:
        ExportError: there is no image, or the folder cannot be written.
        DatabaseError: the store cannot be used; no folder is left then.
    """
    held = [place for place in places if place.sha256 in features]
    if not held:
        raise ExportError(f"{out}: no image to choose from")
    rows = np.array([features[place.sha256] for place in held], dtype=np.float32)  # (N, C)
    chosen = choose_varied(rows, [place.camera for place in held], count=options.count, rng=rng)

    return write_recorded(out, [_item(held[place]) for place in chosen], options, engine=engine, asked_camera=camera)


def _item(place: Place) -> ExportItem:
    return ExportItem(
        image_id=place.image_id,
        sha256=place.sha256,
        file=place.file,
        shown_path=place.file.decode("utf-8", "backslashreplace"),
        camera=place.camera,
        width_px=place.width_px,
        height_px=place.height_px,
        why=WHY,
    )
