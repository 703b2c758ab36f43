"""What a training of the detector gives, and what it cannot do without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from db.domain.model_versions import ModelCard
from worker.images.labelled import SkippedFile
from worker.models.errors import TrainingError
from worker.training.data.check_samples import Oddity
from worker.training.data.samples import TrainingSample

_MIN_IMAGES = 4


@dataclass(frozen=True)
class TrainedDetector:
    """A trained Keras detector, its card, the images that training went on without, and what it repaired.

    evaluated: the model that was evaluated, where the one that serves learnt from more images afterwards.
    """

    model: Any
    card: ModelCard
    unreadable: tuple[SkippedFile, ...]
    repaired: tuple[Oddity, ...] = ()
    evaluated: Any = None

    @property
    def evaluated_model(self) -> Any:
        """The model that the card's figures are of: it learnt nothing from the held-out cameras."""
        return self.model if self.evaluated is None else self.evaluated


def require_enough(usable: Sequence[TrainingSample], unreadable: Sequence[SkippedFile], *, species: int) -> None:
    """Refuse a training that cannot come to anything. species: how many it needs.

    Raises:
        TrainingError: too few images or species.
    """
    found = {sample.label.species for sample in usable}
    if len(usable) >= _MIN_IMAGES and len(found) >= species:
        return
    first = f"; first unreadable: {unreadable[0].text}" if unreadable else ""
    wanted = f"at least {_MIN_IMAGES} images" + (f" and {species} species" if species > 1 else "")
    raise TrainingError(f"{len(usable)} readable images of {len(found)} species; training needs {wanted}{first}")
