"""What the follower learns from: true histories of animals, each with a track after it that is theirs or is not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worker.events.cut import QUIET_S, cut_sequence
from worker.events.follow import short_tracks, stack_histories
from worker.events.sightings import CameraSequence, Floats, Track
from worker.events.steps import StepInputs
from worker.models.recurrent import StepDecision

# Other animals that a track is compared with; all of them would teach little more, and false alarms are many.
_OTHERS = 2


@dataclass(frozen=True)
class LabelledSequence:
    """A camera's sequence with the truth. animal_of: by sighting, None where it shows none. species_of: by animal."""

    sequence: CameraSequence
    animal_of: Mapping[int, int | None]
    species_of: Mapping[int, int]


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """Steps (N, T, F) and species (N, T, S) as `build_follower` wants them, what the last step is, (N,), and where.

    last: (N,) index of the last step. species: (N,) the animal's true species, -1 where it is not asked for.
    """

    steps: Floats
    log_species: Floats
    last: np.ndarray
    decision: np.ndarray
    species: np.ndarray

    def __len__(self) -> int:
        return len(self.last)


def hypotheses(sequences: Sequence[LabelledSequence], rng: np.random.Generator) -> Hypotheses:
    """Return every pair of a true history and a track after it, and every track by itself.

    Of histories some tracks are left out at random: joined wrongly or missed, they will be missing in use as well.
    """
    found = [one for labelled in sequences for one in _of_sequence(labelled, rng)]
    steps, log_species, lengths = stack_histories([shown for shown, _, _ in found])
    return Hypotheses(
        steps=steps,
        log_species=log_species,
        last=np.array(lengths) - 1,
        decision=np.array([int(decision) for _, decision, _ in found]),
        species=np.array([species for _, _, species in found]),
    )


_One = tuple[tuple[Floats, Floats], StepDecision, int]


def _of_sequence(labelled: LabelledSequence, rng: np.random.Generator) -> Iterator[_One]:
    for part in cut_sequence(labelled.sequence):
        inputs = StepInputs(part)
        earlier: dict[int, list[Track]] = defaultdict(list)
        for now in short_tracks(part):
            animal = animal_of_track(now, labelled.animal_of)
            yield from _of_track(now, animal, earlier, labelled, inputs, rng)
            if animal is not None:
                earlier[animal].append(now)


def _of_track(
    now: Track,
    animal: int | None,
    earlier: Mapping[int, list[Track]],
    labelled: LabelledSequence,
    inputs: StepInputs,
    rng: np.random.Generator,
) -> Iterator[_One]:
    species = -1 if animal is None else labelled.species_of[animal]
    alone = StepDecision.NONE if animal is None else StepDecision.NEW
    yield inputs.of_history([now]), alone, species
    histories = {other: _before(tracks, now) for other, tracks in earlier.items()}
    for other in _asked(animal, [other for other, history in histories.items() if history], rng):
        history = histories[other]
        kept = [one for one in history if one is history[-1] or rng.random() > 0.15]
        same = other == animal
        decision = StepDecision.SAME if same else alone
        yield inputs.of_history([*kept, now]), decision, species if same else -1


def _before(tracks: Sequence[Track], now: Track) -> list[Track]:
    """Return the tracks of an animal that another track may go on, none where they are too long ago."""
    history = [one for one in tracks if one.end_s < now.start_s]
    return history if history and now.start_s - history[-1].end_s <= QUIET_S else []


def _asked(animal: int | None, others: list[int], rng: np.random.Generator) -> list[int]:
    """Return the animals that a track is compared with: its own, and the latest of the others and some more."""
    wrong = [other for other in others if other != animal]
    some = rng.permutation(len(wrong))[: _OTHERS if animal is not None else 1].tolist()
    chosen = {wrong[place] for place in some} | set(wrong[-1:])
    return [other for other in others if other == animal or other in chosen]


def animal_of_track(track: Track, animal_of: Mapping[int, int | None]) -> int | None:
    """Return the animal that most of a track's sightings show, None where most show none."""
    shown = Counter(animal_of[sighting.detection_id] for sighting in track.sightings)
    return shown.most_common(1)[0][0]
