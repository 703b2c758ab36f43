"""What an export is asked for, and what every writer needs to know of its job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from db.domain.answer_boxes import SURE, answer_boxes
from db.domain.jobs import Job
from db.domain.predictions import Head
from db.domain.results import StoredDetection, StoredPrediction
from db.domain.species import LabelSet
from worker.results.names import BoxChoice, ResultFormat

RULE = (
    "species: the largest of the final probabilities, which are the mean of both heads', mixed with the second stage's "
    "by its weight where there is a second stage"
)


@dataclass(frozen=True)
class ResultOptions:
    """What the user chose. flag_below: chance to be right below which a person looks.

    min_confidence: 0..1, of a detection; None is the answer's own rule, and every box where a head's are chosen.
    """

    result_format: ResultFormat
    boxes: BoxChoice = BoxChoice.ANSWER
    min_confidence: float | None = None
    flag_below: float = 0.5


@dataclass(frozen=True)
class Export:
    """One export: of which job, in which label set. models: the versions that the results came from."""

    job: Job
    label_set: LabelSet
    models: tuple[str, ...]
    options: ResultOptions

    def chosen(self, prediction: StoredPrediction) -> tuple[StoredDetection, ...]:
        """The detections of an image that go out."""
        least, choice = self.options.min_confidence, self.options.boxes
        if choice is BoxChoice.ANSWER:
            return answer_boxes(prediction, at_least=SURE if least is None else least)
        wanted = tuple(Head) if choice is BoxChoice.BOTH else (Head(choice.value),)
        sure = [found for found in prediction.detections if found.detection.confidence >= (least or 0.0)]
        return tuple(found for found in sure if found.detection.head in wanted)

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
