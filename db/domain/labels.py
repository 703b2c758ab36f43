"""What someone said is in an image: labelled boxes, from a label file or from a review."""

from __future__ import annotations

from dataclasses import dataclass

from db.domain.boxes import Box
from db.domain.species import NO_FISH


@dataclass(frozen=True)
class LabelledBox:
    """One fish that someone boxed; head and tail are points in pixels where they were given."""

    box: Box
    species: str
    head_px: tuple[float, float] | None = None
    tail_px: tuple[float, float] | None = None


@dataclass(frozen=True)
class ImageLabel:
    """What someone said of one image: its species and every box.

    No boxes and the species `NoF` say "looked at, no fish". No boxes and a fish say that only the image's species
    is known (folders-per-species).
    """

    species: str
    boxes: tuple[LabelledBox, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the image was said to show no fish."""
        return self.species == NO_FISH and not self.boxes

    @property
    def largest(self) -> LabelledBox | None:
        """The largest fish, the one the box head learns; None where none is boxed."""
        return max(self.boxes, key=lambda labelled: labelled.box.area_px, default=None)
