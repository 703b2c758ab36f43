"""What a change of the champion means for items: they follow it where it has evaluated them, else they are stale."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from db.domain.card_facts import facts_of
from db.domain.fish_size import input_steps, result_parameters, smallest_fish_of_steps
from db.domain.jobs import ItemState
from db.domain.model_versions import ModelState
from db.store.flagged import flagged
from db.store.jobs import lock_job
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow
from db.tables.jobs import ItemRow, JobRow
from db.tables.models import BoxShiftRow, ModelVersionRow
from db.tables.predictions import PredictionRow
from db.tables.reviews import ReviewItemRow

_PLAIN = {"synchronize_session": False}


def point_items_at(session: Session, model_version: str) -> int:
    """Return how many items of jobs that follow the champion now show what this version said of the same content.

    The caller commits. Predictions are never changed, so after a rollback the items show exactly what they did before.
    """
    shown, said = aliased(PredictionRow), aliased(PredictionRow)
    newest = (
        select(func.max(said.id))
        .join(shown, shown.image_id == said.image_id)
        .where(shown.id == ItemRow.prediction_id, said.model_version_id == model_version)
        .correlate(ItemRow)
        .scalar_subquery()
    )
    others = ItemRow.prediction_id.in_(select(PredictionRow.id).where(PredictionRow.model_version_id != model_version))
    moved = update(ItemRow).where(_follows_champion(), others, newest.is_not(None)).values(prediction_id=newest)
    return _rowcount(session.execute(moved, execution_options=_PLAIN))


def ask_stale_again(session: Session, job_id: int) -> int:
    """Return how many of a job's items wait for the champion now, because another version answered them.

    Their earlier answers stay until then. The caller makes the batches and commits.
    """
    lock_job(session, job_id)
    return _ask_again(session, and_(ItemRow.job_id == job_id, _is_stale(session)))


def ask_flagged_again(session: Session, former: str, *, below: float) -> list[int]:
    """Return the jobs with items that wait for the champion now: flagged by the former one, and shown to nobody yet.

    below: the chance to be right under which an image is flagged. The caller makes the batches and commits.
    """
    doubtful = (
        select(PredictionRow.id)
        .where(
            PredictionRow.model_version_id == former,
            flagged(below),
            ~exists().where(ReviewItemRow.image_id == PredictionRow.image_id),
        )
        .scalar_subquery()
    )
    asked = and_(_is_stale(session), ItemRow.prediction_id.in_(doubtful))
    job_ids = list(session.scalars(select(ItemRow.job_id).where(asked).distinct().order_by(ItemRow.job_id)))
    for job_id in job_ids:
        lock_job(session, job_id)
    if job_ids:
        _ask_again(session, asked)
    return job_ids


def count_stale(session: Session, job_ids: Sequence[int]) -> dict[int, int]:
    """Return how many items of each job another version answered, or the champion at another fish size.

    Jobs without any are absent.
    """
    stale = and_(ItemRow.job_id.in_(job_ids), _is_stale(session))
    query: Select[int, int] = select(ItemRow.job_id, func.count()).where(stale).group_by(ItemRow.job_id)
    return {job_id: count for job_id, count in session.execute(query)}


def _ask_again(session: Session, which: ColumnElement[bool]) -> int:
    fresh = {"state": ItemState.PENDING, "batch_id": None, "reason": None, "failure": None}
    return _rowcount(session.execute(update(ItemRow).where(which).values(fresh), execution_options=_PLAIN))


def _is_stale(session: Session) -> ColumnElement[bool]:
    """Done, following the champion, and answered by another version or at another input than the camera's size asks."""
    champion = session.scalars(
        select(ModelVersionRow).where(ModelVersionRow.state == str(ModelState.CHAMPION)).limit(1)
    ).one_or_none()
    version = champion.id if champion is not None else None
    another = exists().where(PredictionRow.id == ItemRow.prediction_id, PredictionRow.model_version_id != version)
    stale = another if champion is None else or_(another, _at_another_input(champion))
    return and_(ItemRow.state == str(ItemState.DONE), _follows_champion(), stale)


def _at_another_input(champion: ModelVersionRow) -> ColumnElement[bool]:
    """Answered at another of the champion's inputs than the one that its camera's fish size asks for now."""
    facts = facts_of(champion.card)
    if not facts.sized or facts.input_hw is None:
        return false()
    own, folder_camera = aliased(CameraRow), aliased(CameraRow)
    fish_px = func.coalesce(own.fish_px, folder_camera.fish_px)
    steps = input_steps(facts.input_hw)
    asked = case(
        *[
            (fish_px >= smallest, result_parameters(step.input_hw))
            for step, smallest in zip(steps, smallest_fish_of_steps(), strict=True)
        ]
    )
    # What corrections say of the camera's boxes is a part of the parameters, too.
    shift = (
        select(BoxShiftRow.parameters)
        .where(
            BoxShiftRow.model_version_id == champion.id,
            BoxShiftRow.camera_id == func.coalesce(own.id, folder_camera.id),
        )
        .correlate(own, folder_camera)
        .scalar_subquery()
    )
    wanted = (
        select(asked + func.coalesce(shift, ""))
        .select_from(FileRow)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .join(folder_camera, folder_camera.id == FolderRow.camera_id)
        .outerjoin(ImageRow, ImageRow.id == FileRow.image_id)
        .outerjoin(own, own.id == ImageRow.camera_id)
        .where(FileRow.id == ItemRow.file_id)
        .correlate(ItemRow)
        .scalar_subquery()
    )
    shown = select(PredictionRow.parameters).where(PredictionRow.id == ItemRow.prediction_id).correlate(ItemRow)
    # NULL, and so not stale, where the size is not known.
    return shown.scalar_subquery() != wanted


def _follows_champion() -> ColumnElement[bool]:
    return ItemRow.job_id.in_(select(JobRow.id).where(JobRow.model_asked == ""))


def _rowcount(result: object) -> int:
    return int(getattr(result, "rowcount", 0))
