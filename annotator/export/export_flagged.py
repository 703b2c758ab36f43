"""From the queue to a folder for a person: choose, write, record; the folder shows only when the store knows of it."""

from __future__ import annotations

import math
import os
import uuid
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from annotator.errors import ExportError
from annotator.export.duplicates import LOOKED_THROUGH, OneAGroup, one_of_each, stands_for
from annotator.export.image_files import Fetch, Images, no_fetch
from annotator.export.select import Chosen, choose
from annotator.export.write import ExportItem, Outline, WrittenExport, WrittenItem, write_export
from annotator.labelme.shown import shape_to_json
from db.domain.plans import PlanDesign, PlanItem, PlanOrigin
from db.domain.predictions import Agreement, Head
from db.domain.results import StoredDetection
from db.domain.species import LabelSet
from db.session import reading, transaction
from db.store.duplicates import record_duplicates
from db.store.error_probabilities import refresh_error_probabilities
from db.store.first_boxes import FirstBoxes, first_boxes
from db.store.plans import newest_ids, record_plan
from db.store.review_queue import (
    QueueFilter,
    ReviewCandidate,
    agreed_predictions,
    flagged_predictions,
    load_candidates,
    predictions_of,
)
from db.store.reviews import NewReviewItem, record_export

# Below these parts a person is told of them; they only word the reason, the score alone flags.
LOW_IOU = 0.5
FAR_SPECIES = 0.5
HIGH_ENTROPY = 0.6
# At most so much of an export goes to boxes that tell the fish sizes of new cameras.
FIRST_SHARE = 0.5


def no_outlines(_candidate: ReviewCandidate) -> tuple[Outline, ...]:
    """Return no outline: a person sees the answer alone."""
    return ()


@dataclass(frozen=True)
class ReviewExportOptions:
    """What a person asked for. fetch: reads an image under a URL. outlines_of: what to show beside the answer."""

    count: int
    random_share: float
    label_set: LabelSet
    images: Images = Images.COPY
    fetch: Fetch = no_fetch
    outlines_of: Callable[[ReviewCandidate], tuple[Outline, ...]] = no_outlines


def export_flagged(
    out: Path,
    wanted: QueueFilter,
    options: ReviewExportOptions,
    *,
    engine: Engine,
    rng: Random,
    contents: Sequence[str] | None = None,
) -> WrittenExport:
    """Return the folder written: the most doubtful images and, by chance, some of the others.

    contents: exactly these images instead, by content hash (the open cases of two reviewers).

    Raises:
        ExportError: nothing waits for a person, or the folder cannot be written.
        DatabaseError: the store cannot be used; no folder is left then.
    """
    refresh_error_probabilities(engine, wanted.model_version)
    seed = rng.getrandbits(31)
    with reading(engine) as session:
        chosen, origin, first, groups = _choose(session, wanted, options, rng=Random(seed), contents=contents)
        drawn = options.outlines_of is not no_outlines
        candidates = load_candidates(session, [one.key for one in chosen], with_heatmaps=drawn)
    items = [
        stands_for(_asked_first(item, first), groups.alike.get(item.prediction_id or 0, ()))
        for item in items_of(chosen, candidates, options)
    ]
    if not items:
        raise ExportError(_nothing_waits(wanted))

    def record(session: Session, written: WrittenExport) -> None:
        if origin is not None:
            _record_plan(session, written, origin, {one.key: one for one in chosen}, seed=seed)

    return write_recorded(
        out,
        items,
        options,
        engine=engine,
        model_version=wanted.model_version,
        flag_below=wanted.below,
        asked_species=wanted.species,
        asked_camera=wanted.camera,
        record_more=record,
    )


def write_recorded(
    out: Path,
    items: Sequence[ExportItem],
    options: ReviewExportOptions,
    *,
    engine: Engine,
    model_version: str | None = None,
    flag_below: float | None = None,
    asked_species: str | None = None,
    asked_camera: str | None = None,
    record_more: Callable[[Session, WrittenExport], None] = lambda session, written: None,
) -> WrittenExport:
    """Return the folder written; it carries its name only when the store knows of it.

    record_more: stores what else belongs to the export, in the same transaction.

    Raises:
        ExportError: the folder cannot be written. DatabaseError: the store cannot be used; no folder is left then.
    """

    def record(written: WrittenExport) -> None:
        with transaction(engine) as session:
            record_export(
                session,
                map(recorded, written.items),
                export_id=written.export_id,
                folder=os.fsencode(os.path.abspath(out)),
                model_version=model_version,
                flag_below=flag_below,
                asked_species=asked_species,
                asked_camera=asked_camera,
            )
            alike = {one.number: one.item.duplicates for one in written.items if one.item.duplicates}
            record_duplicates(session, written.export_id, alike)
            record_more(session, written)

    return write_export(
        out,
        items,
        export_id=uuid.uuid4().hex,
        label_set=options.label_set,
        images=options.images,
        fetch=options.fetch,
        before_visible=record,
    )


def _choose(
    session: Session, wanted: QueueFilter, options: ReviewExportOptions, *, rng: Random, contents: Sequence[str] | None
) -> tuple[list[Chosen[int]], PlanOrigin | None, FirstBoxes, OneAGroup]:
    """Return what is shown, and what it was drawn from; None where nothing was drawn.

    Also what sizes are asked by, and which images have flagged ones answered for them. What chance drew stands for
    itself alone: it is to tell how many of all images are wrong.
    """
    if contents is not None:
        found = predictions_of(session, contents, model_version=wanted.model_version)
        return (
            [Chosen(prediction_id, False) for prediction_id in found[: options.count]],
            None,
            FirstBoxes({}),
            OneAGroup([], {}),
        )
    first = first_boxes(session, wanted, limit=math.ceil(options.count * FIRST_SHARE))
    waiting = flagged_predictions(session, wanted, limit=options.count + LOOKED_THROUGH)
    flagged = [one for one in waiting if one not in first.cameras]
    groups = one_of_each(flagged, load_candidates(session, flagged, with_heatmaps=False))
    agreed = array("q", (one for one in agreed_predictions(session, wanted) if one not in first.cameras))
    count = options.count - len(first.cameras)
    chosen = [Chosen(one, False) for one in first.cameras]
    chosen += choose(groups.shown, agreed, count=count, random_share=options.random_share, rng=rng)
    newest_prediction, newest_correction = newest_ids(session)
    origin = PlanOrigin(
        model_version=wanted.model_version,
        job_id=None,
        target="",
        images=len(agreed) + sum(not one.at_random for one in chosen),
        last_prediction_id=newest_prediction,
        last_correction_id=newest_correction,
    )
    return chosen, origin, first, groups


def _asked_first(item: ExportItem, first: FirstBoxes) -> ExportItem:
    """Return an item that says why it comes first, where it does."""
    camera = first.cameras.get(item.prediction_id or 0)
    if camera is None:
        return item
    return replace(
        item, first_of=camera, why=f"box the fish: they tell how large camera {camera} shows fish; {item.why}"
    )


def _record_plan(
    session: Session, written: WrittenExport, origin: PlanOrigin, chosen: Mapping[int, Chosen[int]], *, seed: int
) -> None:
    """Store the probability of each image that the folder holds; all that could be drawn were drawn alike."""
    drawn = sum(one.at_random for one in chosen.values())
    items = [
        PlanItem(
            image_id=one.item.image_id,
            prediction_id=one.item.prediction_id,
            probability=chosen[one.item.prediction_id].probability,
            certain=not one.item.at_random,
            camera=one.item.camera,
            day=None,
        )
        for one in written.items
        if one.item.prediction_id is not None
    ]
    design = PlanDesign(seed, len(chosen) - drawn, drawn, floor_share=1.0)
    record_plan(session, origin, design, items, export_id=written.export_id)


def why_shown(agreement: Agreement, *, error_probability: float, shown: Sequence[StoredDetection] = ()) -> str:
    """Return why an image is shown, in one line; the same wording for doubtful and for random ones.

    shown: the boxes that are shown; where a crop is called something else than its box, that is said.

    >>> why_shown(Agreement(0.2, 0.1, 0.8, 0.1, 0.1, 0.9, 0.9, 1), error_probability=0.8)
    'chance to be wrong 0.80: boxes apart (IoU 0.10), species apart (distance 0.80)'
    """
    parts = [
        (agreement.iou < LOW_IOU, f"boxes apart (IoU {agreement.iou:.2f})"),
        (agreement.species_distance > FAR_SPECIES, f"species apart (distance {agreement.species_distance:.2f})"),
        (agreement.box_entropy > HIGH_ENTROPY, f"box head unsure (entropy {agreement.box_entropy:.2f})"),
        (agreement.heatmap_entropy > HIGH_ENTROPY, f"heat map unsure (entropy {agreement.heatmap_entropy:.2f})"),
        (agreement.fish_count > 1, f"{agreement.fish_count} places in the heat map"),
    ]
    crops = [
        f"{box.detection.species} by the {box.detection.head} head is {box.crop_species} by its crop"
        for box in shown
        if box.crop_species not in (None, box.detection.species)
    ]
    told = ", ".join([*crops[:1], *(text for holds, text in parts if holds)])
    return f"chance to be wrong {error_probability:.2f}" + (f": {told}" if told else "")


def items_of(
    chosen: Sequence[Chosen[int]], candidates: dict[int, ReviewCandidate], options: ReviewExportOptions
) -> list[ExportItem]:
    """Return what is shown of predictions, by id; one whose image lies nowhere known any more is left out."""
    items: dict[int, ExportItem] = {}
    for one in chosen:
        candidate = candidates.get(one.key)
        # One model may have seen an image with several parameters; a person sees it once.
        if candidate is not None and candidate.image_id not in items:
            items[candidate.image_id] = export_item(one, candidate, outlines=options.outlines_of(candidate))
    return list(items.values())


def export_item(chosen: Chosen[int], candidate: ReviewCandidate, *, outlines: tuple[Outline, ...] = ()) -> ExportItem:
    """Return what a person is shown of a prediction and its image."""
    answer = {box.detection_id for box in candidate.answer.boxes}
    shown = [found for found in candidate.detections if found.detection_id in answer]
    return ExportItem(
        image_id=candidate.image_id,
        sha256=candidate.sha256,
        file=candidate.file,
        shown_path=candidate.file.decode("utf-8", "backslashreplace"),
        camera=candidate.camera,
        width_px=candidate.width_px,
        height_px=candidate.height_px,
        why=why_shown(candidate.agreement, error_probability=candidate.error_probability, shown=shown),
        prediction_id=candidate.prediction_id,
        at_random=chosen.at_random,
        answer=candidate.answer,
        others=other_predictions(candidate),
        outlines=outlines,
    )


def other_predictions(candidate: ReviewCandidate) -> str:
    """Return what each head boxed first, for people who wonder where the answer comes from."""
    first = {found.detection.head: found.detection for found in reversed(candidate.detections)}
    heads = {Head.BOX_SPECIES: "box head", Head.HEATMAP: "heat map"}
    return ", ".join(
        f"{name}: {first[head].species} {first[head].confidence:.2f}" for head, name in heads.items() if head in first
    )


def recorded(written: WrittenItem) -> NewReviewItem:
    """Return what the store keeps of an image in an export."""
    return NewReviewItem(
        number=written.number,
        image_id=written.item.image_id,
        prediction_id=written.item.prediction_id,
        at_random=written.item.at_random,
        why=written.item.why,
        width_px=written.item.width_px,
        height_px=written.item.height_px,
        shapes=tuple(map(shape_to_json, written.state.shapes)),
    )


def _nothing_waits(wanted: QueueFilter) -> str:
    narrowed = [f"species {wanted.species}"] * bool(wanted.species) + [f"camera {wanted.camera}"] * bool(wanted.camera)
    of = f" of {' and '.join(narrowed)}" if narrowed else ""
    hint = "" if wanted.handed_out else "; images that were exported before come again with --overlap"
    return f"model {wanted.model_version}: no prediction{of} waits for a person{hint}"
