"""Turns what a person pressed in a quick review into a correction, by the rules that labelme's files are read by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from annotator.corrections.compare import Comparison, compare
from annotator.errors import AnnotatorError
from annotator.labelme.json_files import LabelmeFile, LabelmeShape
from annotator.labelme.marks import FLAG_REVIEWED, FLAG_UNSURE, FLAGS
from annotator.labelme.shown import HIDDEN_KEY, ExportedState, state_from_json
from db.domain.corrections import Correction, CorrectionOutcome
from db.domain.species import NO_FISH, LabelSet
from db.store.reviews import ReviewExport, ReviewItem


class Verdict(StrEnum):
    """What can be said of an image with a key or a click."""

    CONFIRM = "confirm"
    CHANGE = "change"
    UNSURE = "unsure"
    WITHDRAW = "withdraw"


class QuickRefused(AnnotatorError):
    """An answer of the page cannot be stored as it stands."""


@dataclass(frozen=True)
class QuickAnswer:
    """What a person said of one image. species: what each box shows instead, by its shape's id; `NoF` takes it away."""

    number: int
    verdict: Verdict
    species: Mapping[str, str] = field(default_factory=dict)


def correction_of(
    answer: QuickAnswer, item: ReviewItem, export: ReviewExport, *, label_set: LabelSet, reviewer: str, now: datetime
) -> Correction:
    """Return the correction that an answer is.

    Raises:
        QuickRefused: a box or a species that does not exist, or a change that changes nothing.
    """
    found = Comparison(CorrectionOutcome.WITHDRAWN, None, ())
    if answer.verdict is not Verdict.WITHDRAW:
        state = state_from_json(item.shapes, width_px=item.width_px, height_px=item.height_px)
        found = compare(state, _edited(answer, state), label_set=label_set)
    return Correction(
        sha256=item.sha256,
        label=found.label,
        outcome=found.outcome,
        changes=found.changes,
        reviewer=reviewer,
        reviewed_at=now.isoformat(),
        export_id=export.export_id,
        model_version=export.model_version,
    )


def _edited(answer: QuickAnswer, state: ExportedState) -> LabelmeFile:
    """Return the file that labelme would have saved."""
    unknown = set(answer.species) - {shape.shape_id for shape in state.shapes}
    if unknown:
        raise QuickRefused(f"image {answer.number}: has no box {sorted(unknown)[0]!r}")
    if (answer.verdict is Verdict.CHANGE) != bool(answer.species):
        raise QuickRefused(f"image {answer.number}: {answer.verdict} with {len(answer.species)} boxes named")
    shapes = tuple(
        LabelmeShape(
            label=answer.species.get(shape.shape_id, shape.species),
            points_px=shape.points_px,
            shape_type="rectangle",
            extra={HIDDEN_KEY: {"shape": shape.shape_id, "detection": shape.detection_id}},
        )
        for shape in state.shapes
        if answer.species.get(shape.shape_id) != NO_FISH
    )
    flags = dict.fromkeys(FLAGS, False)
    flags[FLAG_UNSURE if answer.verdict is Verdict.UNSURE else FLAG_REVIEWED] = True
    return LabelmeFile("", state.width_px, state.height_px, shapes=shapes, flags=flags)
