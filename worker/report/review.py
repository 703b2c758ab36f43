"""What people changed: the model's answers against theirs, and the counts before and after."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from db.domain.answers import AnsweredBy, FinalAnswer, predicted_answer
from db.domain.results import ImageResult

# A page with more cameras is for a spreadsheet (`cli results --format csv`).
MOST_CAMERAS = 100

# The model's species, and a person's.
Named = tuple[str, str]


@dataclass
class ReviewTally:
    """Counts of one pass over a job. by_camera: of images that a person decided on, what both called them.

    A duplicate of an image that they looked at is no answer of its own. species_before, fish_before: images and boxes
    by the model's species, whatever people said.
    """

    by_camera: dict[str, Counter[Named]] = field(default_factory=lambda: defaultdict(Counter))
    species_before: Counter[str] = field(default_factory=Counter)
    fish_before: Counter[str] = field(default_factory=Counter)

    def add(self, result: ImageResult, answer: FinalAnswer) -> None:
        """Count an image with an answer."""
        predicted = predicted_answer(result)
        if predicted is None:
            return
        self.species_before[predicted.species] += 1
        self.fish_before.update(box.species for box in predicted.boxes)
        if answer.by is AnsweredBy.PERSON:
            self.by_camera[result.camera][predicted.species, answer.species] += 1


@dataclass(frozen=True)
class Confusion:
    """One table of what the rows' side and the columns' side called the same images.

    counts: a row a name of `names`, in their order. shares: of the row's images, 0..1.
    """

    title: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float, ...], ...]

    @property
    def images(self) -> int:
        """All images of the table."""
        return sum(map(sum, self.counts))

    @property
    def differing(self) -> int:
        """The images that both sides call differently."""
        return self.images - sum(row[place] for place, row in enumerate(self.counts))


@dataclass(frozen=True)
class ChangeLine:
    """A species before and after the corrections: images that are called so, and boxes of fish."""

    species: str
    images_before: int
    images_after: int
    fish_before: int
    fish_after: int


def confusion_of(title: str, named: Mapping[Named, int], order: tuple[str, ...]) -> Confusion:
    """Return the table of some counts. order: of the label set; names that it lacks come after it.

    >>> confusion_of("all", {("ALB", "YFT"): 1, ("ALB", "ALB"): 3}, ("ALB", "BET", "YFT")).counts
    ((3, 1), (0, 0))
    """
    held = {name for pair in named for name in pair}
    names = (*(name for name in order if name in held), *sorted(held.difference(order)))
    counts = tuple(tuple(named.get((row, column), 0) for column in names) for row in names)
    shares = tuple(tuple(count / max(1, sum(row)) for count in row) for row in counts)
    return Confusion(title, names, counts, shares)


def confusions_of(tally: ReviewTally, order: tuple[str, ...]) -> list[Confusion]:
    """Return the table of the whole job, then the cameras' with most differences first; none before a review."""
    whole: Counter[Named] = Counter()
    for named in tally.by_camera.values():
        whole.update(named)
    if not whole:
        return []
    cameras = [confusion_of(camera, named, order) for camera, named in sorted(tally.by_camera.items())]
    cameras.sort(key=lambda one: -one.differing)
    return [confusion_of("All cameras", whole, order), *cameras[:MOST_CAMERAS]]


def changes_of(
    tally: ReviewTally, species: Mapping[str, int], fish: Mapping[str, int], order: tuple[str, ...]
) -> list[ChangeLine]:
    """Return a line for each species that anybody named. species, fish: the final counts of images and boxes."""
    counted = (tally.species_before, species, tally.fish_before, fish)
    held = {name for counts in counted for name, count in counts.items() if count}
    names = (*(name for name in order if name in held), *sorted(held.difference(order)))
    return [ChangeLine(name, *(counts.get(name, 0) for counts in counted)) for name in names]
