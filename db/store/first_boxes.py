"""Which images to ask for first: a few of each camera whose fish size nobody told, where boxes are likeliest."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from db.domain.card_facts import facts_of
from db.domain.fish_size import FishSizeOrigin
from db.domain.predictions import Head
from db.store.fish_sizes import fish_sizes
from db.store.images import camera_of_image
from db.store.review_queue import QueueFilter, queue_conditions
from db.tables.models import ModelVersionRow
from db.tables.predictions import DetectionRow, PredictionRow
from db.tables.reviews import CorrectionRow, ReviewItemRow

# Three boxes tell a camera's size; of four likely images one may show none.
IMAGES_A_CAMERA = 4
# Of so many likeliest ones, a third of the camera's at the most: those next to each other show the same fish.
_LIKELIEST, _LIKELIEST_SHARE = 3 * IMAGES_A_CAMERA, 3


@dataclass(frozen=True)
class FirstBoxes:
    """Predictions to ask for, by id with their cameras, those of one camera together."""

    cameras: dict[int, str]

    @property
    def count(self) -> int:
        """How many cameras are asked about."""
        return len(set(self.cameras.values()))


def first_boxes(session: Session, wanted: QueueFilter, *, limit: int) -> FirstBoxes:
    """Return at most `limit` predictions whose boxes would tell the fish sizes of cameras where they are not known.

    None of a model that shows all cameras alike, and none of a camera of which as many are exported and not answered.
    """
    model = session.get(ModelVersionRow, wanted.model_version)
    if model is None or not facts_of(model.card).sized:
        return FirstBoxes({})
    told = {camera for camera, size in fish_sizes(session).items() if size.origin is not FishSizeOrigin.ESTIMATE}
    likely = _likeliest(session, wanted)
    asked = _asked(session)
    chosen: dict[int, str] = {}
    for camera, ids in sorted(likely.items(), key=lambda one: (-len(one[1]), one[0])):
        if camera in told or asked.get(camera, 0) >= IMAGES_A_CAMERA:
            continue
        each = max(1, len(ids) // IMAGES_A_CAMERA)
        for prediction_id in sorted(ids)[::each][:IMAGES_A_CAMERA]:
            if len(chosen) < limit:
                chosen[prediction_id] = camera
    return FirstBoxes(chosen)


def _likeliest(session: Session, wanted: QueueFilter) -> dict[str, list[int]]:
    """Return the predictions of each camera with the surest boxes, by camera."""
    surest = (
        select(DetectionRow.prediction_id, func.max(DetectionRow.confidence).label("chance"))
        .where(DetectionRow.head == Head.HEATMAP.value)
        .group_by(DetectionRow.prediction_id)
        .subquery()
    )
    camera = camera_of_image(PredictionRow.image_id)
    of_camera = (
        select(PredictionRow.id, camera.label("camera"), surest.c.chance)
        .join(surest, surest.c.prediction_id == PredictionRow.id)
        .where(*queue_conditions(wanted))
        .subquery()
    )
    rank = func.row_number().over(partition_by=of_camera.c.camera, order_by=(of_camera.c.chance.desc(), of_camera.c.id))
    images = func.count().over(partition_by=of_camera.c.camera)
    ranked = select(of_camera.c.id, of_camera.c.camera, rank.label("rank"), images.label("images")).subquery()
    found: dict[str, list[int]] = defaultdict(list)
    rows = session.execute(select(ranked).where(ranked.c.rank <= _LIKELIEST))
    for prediction_id, name, place, count in rows:
        if place <= max(IMAGES_A_CAMERA, count // _LIKELIEST_SHARE):
            found[name].append(prediction_id)
    return found


def _asked(session: Session) -> dict[str, int]:
    """Return how many images of each camera are exported and have no answer."""
    camera = camera_of_image(ReviewItemRow.image_id).label("camera")
    open_items = select(ReviewItemRow.image_id, camera).where(
        ~exists().where(CorrectionRow.image_id == ReviewItemRow.image_id)
    )
    each = open_items.distinct().subquery()
    return {name: count for name, count in session.execute(select(each.c.camera, func.count()).group_by(each.c.camera))}
