"""One pass over a job's results: what the overview counts, and which images are worth a place."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from db.domain.answers import AnsweredBy, FinalAnswer, final_answer
from db.domain.jobs import ItemState
from db.domain.results import ImageResult, StoredPrediction
from worker.report.review import ReviewTally

AGREEMENT_BINS = 20
# The overview shows what each species looks like where the model is sure of it.
SUREST_A_SPECIES = 3
MAX_FAILURES_SHOWN = 1_000


@dataclass
class Summary:
    """A job in numbers. chosen: ids of the items with an image in the report; failed: those without a result.

    species: images by their final species; fish: boxes by theirs.
    agreement_bins, flagged_bins: images by agreement, all and the flagged ones, `AGREEMENT_BINS` equal steps from 0
    to 1. flagged: those nobody has looked at yet. reviewed: those of which a person said what is in them; differing:
    where the person named another species than the model. by_duplicate: near-duplicates of an image that a person saw.
    by_camera: species counts, the person's before the model's.
    by_day, by_trip: likewise; days are by the cameras' clocks, '' where none is known; a trip is the first folder below
    the job's. said_against: what the models say against themselves, a line each. review: what people changed.
    """

    flag_below: float
    states: Counter[ItemState] = field(default_factory=Counter)
    species: Counter[str] = field(default_factory=Counter)
    fish: Counter[str] = field(default_factory=Counter)
    by_camera: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    by_day: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    by_trip: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    agreement_bins: list[int] = field(default_factory=lambda: [0] * AGREEMENT_BINS)
    flagged_bins: list[int] = field(default_factory=lambda: [0] * AGREEMENT_BINS)
    flagged: int = 0
    reviewed: int = 0
    differing: int = 0
    by_duplicate: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    taken_first: str | None = None
    taken_last: str | None = None
    chosen: list[int] = field(default_factory=list)
    failed: list[ImageResult] = field(default_factory=list)
    said_against: list[str] = field(default_factory=list)
    review: ReviewTally = field(default_factory=ReviewTally)

    @property
    def images(self) -> int:
        """All items of the job."""
        return sum(self.states.values())

    @property
    def evaluated(self) -> int:
        """Items with an answer."""
        return sum(self.species.values())


def summarise(results: Iterable[ImageResult], *, max_images: int, flag_below: float) -> Summary:
    """Return a job's summary. The most doubtful images are chosen, and the surest few of each species."""
    done = Summary(flag_below=flag_below)
    doubtful: list[tuple[float, int]] = []
    surest: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for result in results:
        done.states[result.state] += 1
        answer = final_answer(result)
        if answer is not None:
            _count_answer(done, result, answer)
        said = result.prediction
        if said is None:
            _count_failure(done, result)
            continue
        _count_prediction(done, result, said)
        # Of heaps whose smallest goes; of equals the later image goes first.
        _keep(doubtful, (said.error_probability, -result.item_id), at_most=max_images)
        _keep(surest[said.final_species], (-said.error_probability, -result.item_id), at_most=SUREST_A_SPECIES)
    sure = {-item for best in surest.values() for _, item in best} if max_images else set()
    room = max(0, max_images - len(sure))
    most = [-item for _, item in sorted(doubtful, reverse=True) if -item not in sure]
    done.chosen = sorted({*list(sure)[:max_images], *most[:room]})
    return done


def _count_answer(done: Summary, result: ImageResult, answer: FinalAnswer) -> None:
    done.species[answer.species] += 1
    done.fish.update(box.species for box in answer.boxes)
    done.by_camera[result.camera][answer.species] += 1
    done.by_day[(result.captured_at or "")[:10]][answer.species] += 1
    folder, slash, _ = result.path.partition("/")
    done.by_trip[folder if slash else ""][answer.species] += 1
    done.review.add(result, answer)
    done.by_duplicate += answer.by is AnsweredBy.DUPLICATE
    if answer.by is AnsweredBy.PERSON:
        done.reviewed += 1
        done.differing += result.prediction is not None and answer.species != result.prediction.final_species


def _count_prediction(done: Summary, result: ImageResult, said: StoredPrediction) -> None:
    done.models[said.model_version] += 1
    step = min(AGREEMENT_BINS - 1, int(said.agreement.score * AGREEMENT_BINS))
    flagged = result.is_open(done.flag_below)
    done.agreement_bins[step] += 1
    done.flagged_bins[step] += flagged
    done.flagged += flagged
    if result.captured_at:
        done.taken_first = min(done.taken_first or result.captured_at, result.captured_at)
        done.taken_last = max(done.taken_last or result.captured_at, result.captured_at)


def _count_failure(done: Summary, result: ImageResult) -> None:
    if result.failure is None:
        return
    done.reasons[result.reason or "unknown"] += 1
    if len(done.failed) < MAX_FAILURES_SHOWN:
        done.failed.append(result)


def _keep(heap: list[tuple[float, int]], entry: tuple[float, int], *, at_most: int) -> None:
    if len(heap) < at_most:
        heapq.heappush(heap, entry)
    elif heap and entry > heap[0]:
        heapq.heapreplace(heap, entry)
