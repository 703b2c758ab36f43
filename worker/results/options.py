"""What an export is asked for, and what every writer needs to know of its job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from db.domain.answers import FinalAnswer, final_answer, predicted_answer
from db.domain.events import Event
from db.domain.results import ImageResult
from db.domain.species import NO_FISH, LabelSet
from worker.images.errors import MAX_BYTES
from worker.results.names import ImagesIn, ResultFormat

RULE = (
    "species: the largest of the final probabilities, which are the mean of both heads', mixed with the second stage's "
    "by its weight where there is a second stage"
)


@dataclass(frozen=True)
class ResultOptions:
    """What the user chose. flag_below: chance to be right below which a person looks.

    min_confidence: the fish probability that every box but the surest needs, 0..1; None is the model's own rule.
    truth: whether people's answers come first; False gives the model's alone. images: how images come into a folder;
    max_file_bytes: the largest that is read. position: latitude and longitude of the cameras, WGS84 degrees.
    utc_offset: of their clocks, as +10:00.
    """

    result_format: ResultFormat
    min_confidence: float | None = None
    flag_below: float = 0.5
    truth: bool = True
    images: ImagesIn = ImagesIn.COPY
    max_file_bytes: int = MAX_BYTES
    position: tuple[float, float] | None = None
    utc_offset: str = "+00:00"


@dataclass(frozen=True)
class Export:
    """One export: of which images, in which label set. models: the versions that the results came from.

    root_path: the folder or URL that the images lie below. job_id: None where these are not the images of one job.
    events: every animal of the job once, none where nobody looked for them.
    """

    root_path: bytes
    label_set: LabelSet
    models: tuple[str, ...]
    options: ResultOptions
    title: str
    total: int = 0
    job_id: int | None = None
    events: tuple[Event, ...] = ()

    def answer(self, result: ImageResult) -> FinalAnswer | None:
        """The answer of an image that goes out; None where there is none."""
        chosen = final_answer if self.options.truth else predicted_answer
        return chosen(result, at_least=self.options.min_confidence)

    def probabilities(self, answer: FinalAnswer) -> tuple[float, ...]:
        """The final distribution on the export's label set; a species that the model did not know has 0."""
        return tuple(answer.probabilities.get(name, 0.0) for name in self.label_set.names)

    @property
    def root(self) -> str:
        """The folder of the images, as shown to people."""
        return self.root_path.decode("utf-8", "backslashreplace")

    @property
    def sources(self) -> str:
        """Whose answers these are, for people."""
        models = ", ".join(self.models)
        if not models:
            return "people"
        return f"people, else {models}" if self.options.truth else f"{models} alone"


def no_place_among_boxes(result: ImageResult, answer: FinalAnswer | None) -> str | None:
    """Return why an image has no place in a format that holds boxes alone, None where it has one.

    An image without boxes says "no fish" there, so a fish that nobody boxed must not go out as none.
    """
    if answer is None or not result.width_px or not result.height_px:
        return "its size is not known"
    if not answer.boxes and answer.species != NO_FISH:
        return f"shows {answer.species}, which nobody boxed; without a box it would say that there is no fish"
    return None


def now_text() -> str:
    """This moment, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
