"""Makes one record of everything that is written of an image: what repeats is told, what contradicts refuses it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from annotator.label_formats.records import RawBox, RawRecord, RecordProblem

_Said = tuple[str | None, frozenset[RawBox], frozenset[object]]


def settle(records: Sequence[RawRecord]) -> RawRecord:
    """Return the one record that these records of an image mean; its `problems` say where they contradict.

    Only partial records (one file a species) add up. Records that say the same are one, and so are boxes.
    """
    different, notes = _without_repeats(records)
    boxes, repeated = _without_equal_boxes([box for record in different for box in record.boxes])
    first = different[0]
    said = list(dict.fromkeys(record.species for record in different if record.species is not None))
    problems = [problem for record in different for problem in record.problems]
    problems += [RecordProblem(first.place, text) for text in (*_two_files(different), *_against(said, boxes))]
    return replace(
        first,
        species=said[0] if said else None,
        boxes=tuple(boxes),
        ends=tuple(dict.fromkeys(end for record in different for end in record.ends)),
        notes=(*(note for record in different for note in record.notes), *notes, *repeated),
        problems=tuple(problems),
    )


def _without_repeats(records: Sequence[RawRecord]) -> tuple[list[RawRecord], list[str]]:
    kept: dict[_Said, RawRecord] = {}
    notes = []
    for record in records:
        key = (_lower(record.species), frozenset(record.boxes), frozenset(record.ends))
        held = kept.setdefault(key, record)
        if held is not record:
            kept[key] = replace(held, problems=(*held.problems, *record.problems))
            # A folder's name that repeats a file's record is how competitions sort their images.
            notes += [] if record.partial and not record.boxes else [f"says the same as {record.place}; counted once"]
    return list(kept.values()), notes


def _without_equal_boxes(boxes: Sequence[RawBox]) -> tuple[list[RawBox], list[str]]:
    counts = Counter(boxes)
    repeated = [f"box {box_text(box)} stands {count} times; counted once" for box, count in counts.items() if count > 1]
    return list(counts), repeated


def _two_files(records: Sequence[RawRecord]) -> list[str]:
    """Return why these records cannot all be true."""
    if len(records) > 1 and not all(record.partial for record in records):
        return [f"contradicts {record.place}" for record in records[1:]]
    by_species: dict[str | None, list[RawRecord]] = defaultdict(list)
    for record in records:
        if record.boxes:
            by_species[_lower(record.species)].append(record)
    return [f"contradicts {record.place}" for same in by_species.values() for record in same[1:]]


def _against(said: Sequence[str], boxes: Sequence[RawBox]) -> list[str]:
    """Return how the species of the whole image and the boxes contradict each other."""
    names = {_lower(species): species for species in said}
    if not boxes:
        return [f"is said to show {' and '.join(names.values())}, without a box of either"] if len(names) > 1 else []
    boxed = {_lower(box.species) for box in boxes}
    texts = [f"is said to show {name}, of which there is no box" for key, name in names.items() if key not in boxed]
    places: dict[tuple[float, ...], set[str | None]] = defaultdict(set)
    for box in boxes:
        places[box.xyxy].add(_lower(box.species))
    for box in boxes:
        if len(places[box.xyxy]) > 1:
            return [*texts, f"box {box_text(box)} stands with {len(places[box.xyxy])} species"]
    return texts


def box_text(box: RawBox) -> str:
    """Return a box as messages show it."""
    return f"{box.species[:60]} (" + ", ".join(f"{value:.6g}" for value in box.xyxy) + ")"


def _lower(species: str | None) -> str | None:
    return None if species is None else species.strip().lower()
