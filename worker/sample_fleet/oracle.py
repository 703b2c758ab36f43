"""Reads a sample fleet's truth, so that an oracle can answer in place of a person."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ValidationError

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.errors import TaffrailError


class _Fish(BaseModel):
    box: tuple[float, float, float, float]
    species: str
    head: tuple[float, float]
    tail: tuple[float, float]


class _Image(BaseModel):
    file: str
    species: str
    fish: tuple[_Fish, ...]

    def label(self) -> ImageLabel:
        boxes = (LabelledBox(Box(*one.box), one.species, one.head, one.tail) for one in self.fish)
        return ImageLabel(species=self.species, boxes=tuple(boxes))


class _Truth(BaseModel):
    images: tuple[_Image, ...]


class TruthError(TaffrailError):
    """truth.json cannot be read."""


def read_truth(path: Path) -> dict[str, ImageLabel]:
    """Return the label of every image, by its name below `images/`.

    Raises:
        TruthError: missing, torn, or of another shape.
    """
    try:
        truth = _Truth.model_validate_json(path.read_bytes())
    except OSError as error:
        raise TruthError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise TruthError(f"{path}: not a sample fleet's truth ({place}: {first['msg']})") from None
    return {image.file: image.label() for image in truth.images}


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
