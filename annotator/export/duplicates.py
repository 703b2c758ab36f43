"""From predictions that wait to one a group of near-duplicates: nobody is asked the same thing twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from annotator.export.write import ExportItem
from db.domain.duplicates import Sighting, one_a_group
from db.store.review_queue import ReviewCandidate

# So many more than are asked for are looked through, for copies that would fill an export by themselves.
LOOKED_THROUGH = 2000


@dataclass(frozen=True)
class OneAGroup:
    """shown: predictions to show, in the order in which they came. alike: the images that each one stands for."""

    shown: list[int]
    alike: Mapping[int, tuple[int, ...]]


def one_of_each(prediction_ids: Sequence[int], candidates: Mapping[int, ReviewCandidate]) -> OneAGroup:
    """Return one prediction a group of near-duplicates; one whose image lies nowhere known any more is left out."""
    seen: dict[int, tuple[int, Sighting]] = {}
    for key in prediction_ids:
        found = candidates.get(key)
        if found is not None and found.sighting is not None:
            # One model may have seen an image with several parameters: it is no duplicate of itself.
            seen.setdefault(found.image_id, (key, found.sighting))
    kept = list(seen.values())
    shown: list[int] = []
    alike: dict[int, tuple[int, ...]] = {}
    for first, *others in one_a_group([sighting for _, sighting in kept]):
        key = kept[first][0]
        shown.append(key)
        if others:
            alike[key] = tuple(candidates[kept[place][0]].image_id for place in others)
    return OneAGroup(shown, alike)


def stands_for(item: ExportItem, image_ids: Sequence[int]) -> ExportItem:
    """Return an item that says for how many other images it is answered."""
    if not image_ids:
        return item
    told = f"also answers {len(image_ids)} near-duplicate{'s' * (len(image_ids) > 1)}"
    return replace(item, duplicates=tuple(image_ids), why=f"{item.why}; {told}")
