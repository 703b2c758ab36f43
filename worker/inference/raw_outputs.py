"""What a detector's network says of a batch of images, before any geometry."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from worker.storage.kept_features import ImageFeatures

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RawOutputs:
    """What the network says of a batch, before any geometry.

    box: (B, 4) xyxy in input pixels; 0,0,0,0 where the box head says no fish. box_species, heatmap_species: (B, S)
    probabilities. heatmap: (B, h, w, S) logits. ltrb_offsets: (B, h, w, 4) input pixels from each cell's centre to the
    sides of its fish; None of a model whose heat-map cells give no boxes. centres: (B, h, w, 1) logits at the grid of
    ltrb_offsets; None of a model without a centre head. novelty: (B, 1), how far an image lies from all that was learnt
    from, above 1 beyond its edge; None of a model that does not tell. features: one an image, where they are kept.
    """

    box: Floats
    box_species: Floats
    heatmap: Floats
    heatmap_species: Floats
    ltrb_offsets: Floats | None = None
    centres: Floats | None = None
    novelty: Floats | None = None
    features: tuple[ImageFeatures, ...] | None = None

    def row(self, place: int) -> RawOutputs:
        """Return one image's outputs, a batch of one."""
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        return RawOutputs(**{name: value[place : place + 1] for name, value in held.items() if value is not None})
