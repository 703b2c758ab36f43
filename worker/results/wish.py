"""What an export is asked for, and what every writer needs to know of its job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from db.domain.jobs import Job
from db.domain.results import StoredDetection, StoredPrediction
from db.domain.species import LabelSet
from worker.results.answer import chosen_boxes
from worker.results.names import BoxChoice, ResultFormat

RULE = (
    "species: the largest of the final probabilities, which are the mean of both heads', mixed with the second stage's "
    "by its weight where there is a second stage"
)


@dataclass(frozen=True)
class ExportWish:
    """What the user chose. min_confidence: 0..1, of a detection. flag_below: agreement below which a person looks."""

    result_format: ResultFormat
    boxes: BoxChoice = BoxChoice.ANSWER
    min_confidence: float = 0.0
    flag_below: float = 0.5


@dataclass(frozen=True)
class Export:
    """One export: of which job, in which label set. models: the versions that the results came from."""

    job: Job
    label_set: LabelSet
    models: tuple[str, ...]
    wish: ExportWish

    def chosen(self, prediction: StoredPrediction) -> tuple[StoredDetection, ...]:
        """The detections of a picture that go out."""
        return chosen_boxes(prediction, choice=self.wish.boxes, min_confidence=self.wish.min_confidence)

    def probabilities(self, prediction: StoredPrediction) -> tuple[float, ...]:
        """The final distribution on the export's label set; a species that the model did not know has 0."""
        known = dict(zip(prediction.species, prediction.probabilities, strict=True))
        return tuple(known.get(name, 0.0) for name in self.label_set.names)

    @property
    def root(self) -> str:
        """The job's folder, as shown to people."""
        return self.job.root.decode("utf-8", "backslashreplace")


def now_text() -> str:
    """This moment, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
