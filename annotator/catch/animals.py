"""Animals instead of fish in images: each event is shared out among the images that show it.

An animal that k images show counts 1 / k in each, so the images' shares sum to the animals, and a review plan's images
tell how many there are as they tell of fish. Sources: Birnbaum and Sirken 1965 (multiplicity); Lavallee 2007, section 2
(the generalised weight share method).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotator.catch.frame import JobFrame
from annotator.estimates.weighted_sums import Floats
from annotator.plans.draw import Codes
from db.domain.events import Event, EventState
from db.domain.species import NO_FISH
from db.store.event_images import EventImages


@dataclass(frozen=True)
class AnimalShares:
    """Animals by image. predicted: (N, S) as the events say. typical: what an event adds to one of its images.

    of_none: what a fish of no event counts: one by the images that show an animal.
    """

    predicted: Floats
    typical: float
    of_none: float
    _frame: JobFrame
    _held: EventImages
    _spans: dict[int, list[tuple[str, str, int]]]

    def said(self, places: Sequence[int] | Codes) -> Floats:
        """Return what people said of images, in animals. (n, S)

        A box of an event counts by the event's images. One of no event is an animal of as many images as most; but
        where the image was taken while an event of the camera lasted that was not sighted in it, or next to its first
        or last one, it is that animal, and counts nothing: its other images count it.
        """
        place_of = {name: place for place, name in enumerate(self._frame.answers.names)}
        found = np.zeros((len(places), len(place_of)))
        for row, place in enumerate(np.asarray(places).tolist()):
            for species, share in self._of_image(int(self._frame.image_id[place]), int(place)):
                found[row, place_of[species]] += share
        return found

    def _of_image(self, image_id: int, place: int) -> list[tuple[str, float]]:
        boxes = self._held.boxes.get(image_id)
        if boxes is None:  # said without a box: the image's species is one fish
            boxes = tuple((None, name) for name, count in self._frame.said[image_id].fish.items() for _ in range(count))
        events = [None if detection is None else self._held.event_of.get(detection) for detection, _ in boxes]
        unseen = self._going_on(image_id, place, seen={event for event in events if event is not None})
        shares = []
        for (_, species), event in zip(boxes, events, strict=True):
            if species == NO_FISH:
                continue
            if event is not None:
                shares.append((species, 1.0 / len(self._held.images[event])))
            elif unseen:
                unseen -= 1
            else:
                shares.append((species, self.of_none))
        return shares

    def _going_on(self, image_id: int, place: int, *, seen: set[int]) -> int:
        """Return how many events of the camera last at an image that does not show them."""
        moment = self._held.moments.get(image_id)
        if moment is None:
            return 0
        spans = self._spans.get(int(self._frame.answers.camera[place]), [])
        return sum(
            start <= moment <= end and event not in seen and image_id not in self._held.images[event]
            for start, end, event in spans
        )


def animal_shares(frame: JobFrame, held: EventImages) -> AnimalShares:
    """Return a job's events shared out among its images; one that a person named or refused counts as they said."""
    place_of = {name: place for place, name in enumerate(frame.answers.names)}
    predicted = np.zeros((len(frame), len(place_of)))
    shown: list[int] = []
    clocks = _clocks(frame, held)
    spans: dict[int, list[tuple[str, str, int]]] = defaultdict(list)
    for event in held.events:
        images = sorted(held.images.get(event.event_id, ()))
        places = frame.places_of(images)
        places = places[places >= 0]
        if not len(places):
            continue
        if event.state is not EventState.NO_ANIMAL and event.species in place_of:
            predicted[places, place_of[event.species]] += 1.0 / len(images)  # no image is there twice
            shown.append(len(images))
        camera = int(frame.answers.camera[places[0]])
        _add_span(spans[camera], event, held, images, clock=clocks[camera])
    typical, of_none = (float(np.mean(1.0 / np.array(shown))), 1.0 / float(np.mean(shown))) if shown else (1.0, 1.0)
    return AnimalShares(predicted, typical, of_none, frame, held, dict(spans))


def _clocks(frame: JobFrame, held: EventImages) -> dict[int, list[str]]:
    """Return when each camera's images were taken, in the order of time."""
    clocks: dict[int, list[str]] = defaultdict(list)
    for image_id, camera in zip(frame.image_id.tolist(), frame.answers.camera.tolist(), strict=True):
        moment = held.moments.get(image_id)
        if moment is not None:
            clocks[camera].append(moment)
    for clock in clocks.values():
        clock.sort()
    return clocks


def _add_span(
    spans: list[tuple[str, str, int]], event: Event, held: EventImages, images: Sequence[int], *, clock: Sequence[str]
) -> None:
    """Note from when to when an event lasts: from the image before its first sighting to the one after its last."""
    moments = sorted(moment for image in images if (moment := held.moments.get(image)) is not None)
    if moments:
        before, after = bisect_left(clock, moments[0]) - 1, bisect_right(clock, moments[-1])
        spans.append((clock[max(before, 0)], clock[min(after, len(clock) - 1)], event.event_id))
