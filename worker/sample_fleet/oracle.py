"""Reads a sample fleet's truth, so that an oracle can answer in place of a person."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.errors import TaffrailError


class TruthError(TaffrailError):
    """truth.json cannot be read."""


def read_truth(path: Path) -> dict[str, ImageLabel]:
    """Return the label of every image, by its name below `images/`.

    Raises:
        TruthError: missing, torn, or of another shape.
    """
    try:
        images = json.loads(path.read_text(encoding="utf-8"))["images"]
        return {str(image["file"]): _label(image) for image in images}
    except OSError as error:
        raise TruthError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise TruthError(f"{path}: not a sample fleet's truth ({type(error).__name__}: {error})") from None


def truth_by_content(path: Path) -> dict[str, ImageLabel]:
    """Return the label of every image of the fleet, by its content hash.

    Raises:
        TruthError: truth.json or an image of it cannot be read.
    """
    found = {}
    for name, label in read_truth(path).items():
        image = path.parent / "images" / name
        try:
            found[hashlib.sha256(image.read_bytes()).hexdigest()] = label
        except OSError as error:
            raise TruthError(f"{image}: {error.strerror}; the truth belongs beside its fleet's images") from None
    return found


def _label(image: dict[str, object]) -> ImageLabel:
    fish: list[dict[str, list[float]]] = image["fish"]  # type: ignore[assignment]
    boxes = tuple(
        LabelledBox(
            Box(*one["box"]), str(one["species"]), (one["head"][0], one["head"][1]), (one["tail"][0], one["tail"][1])
        )
        for one in fish
    )
    return ImageLabel(species=str(image["species"]), boxes=boxes)
