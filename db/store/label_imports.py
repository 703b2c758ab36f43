"""Imports of labels as revisions: of an image, what the last import in force said of it counts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import Select, Subquery, and_, delete, exists, func, insert, select, update
from sqlalchemy.orm import Session

from db.domain.label_imports import ImportState, LabelImportSummary
from db.errors import NotFoundError
from db.tables.labels import ImportedLabelRow, LabelImportRow

_PLAIN = {"synchronize_session": False}


def labels_in_force(image_ids: Select[int] | Collection[int] | None = None) -> Subquery:
    """Return the subquery (image_id, label_id) of every image's label in force; of these images only where given."""
    newest = (
        select(ImportedLabelRow.image_id, func.max(ImportedLabelRow.import_id).label("import_id"))
        .join(LabelImportRow, LabelImportRow.id == ImportedLabelRow.import_id)
        .where(LabelImportRow.state == ImportState.IN_FORCE)
        .group_by(ImportedLabelRow.image_id)
    )
    if image_ids is not None:
        newest = newest.where(ImportedLabelRow.image_id.in_(image_ids))
    last = newest.subquery()
    same = and_(ImportedLabelRow.image_id == last.c.image_id, ImportedLabelRow.import_id == last.c.import_id)
    return select(ImportedLabelRow.image_id, ImportedLabelRow.label_id).join(last, same).subquery("in_force")


def begin_import(session: Session, *, source: str, path: str) -> int:
    """Return the id of a new import; until it is finished, nothing of it counts. The caller commits."""
    values = {
        "source": source,
        # Names of label files need not be UTF-8, and the column is for people to read.
        "path": path.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", ""),
        "state": ImportState.RUNNING,
        "created_at": datetime.now(UTC),
    }
    return session.scalars(insert(LabelImportRow).values(values).returning(LabelImportRow.id)).one()


def finish_import(session: Session, import_id: int) -> int:
    """Put an import in force and return of how many images it changed the label. The caller commits.

    One that changes nothing is forgotten: importing the same files again makes no revision.
    """
    mine = ImportedLabelRow.import_id == import_id
    before = labels_in_force()
    same = exists().where(
        before.c.image_id == ImportedLabelRow.image_id, before.c.label_id == ImportedLabelRow.label_id
    )
    changed = session.scalar(select(func.count()).select_from(ImportedLabelRow).where(mine, ~same)) or 0
    if changed:
        put = update(LabelImportRow).where(LabelImportRow.id == import_id).values(state=ImportState.IN_FORCE)
        session.execute(put, execution_options=_PLAIN)
    else:
        session.execute(delete(ImportedLabelRow).where(mine), execution_options=_PLAIN)
        session.execute(delete(LabelImportRow).where(LabelImportRow.id == import_id), execution_options=_PLAIN)
    return changed


def undo_import(session: Session, import_id: int | None = None) -> LabelImportSummary:
    """Take an import back, the last one in force where none is named, and return it as it was. The caller commits.

    Raises:
        NotFoundError: there is no such import in force.
    """
    held = {one.import_id: one for one in list_imports(session) if one.state is ImportState.IN_FORCE}
    wanted = import_id if import_id is not None else max(held, default=None)
    if wanted is None:
        raise NotFoundError("no import of labels is in force; `cli labels list` shows them")
    if wanted not in held:
        raise NotFoundError(f"import {wanted}: is not in force; `cli labels list` shows those that are")
    undone = update(LabelImportRow).where(LabelImportRow.id == wanted).values(state=ImportState.UNDONE)
    session.execute(undone, execution_options=_PLAIN)
    return held[wanted]


def list_imports(session: Session) -> list[LabelImportSummary]:
    """Return every import, the newest first."""
    images = _counts(session, select(ImportedLabelRow.import_id, func.count()).group_by(ImportedLabelRow.import_id))
    last = (
        select(func.max(ImportedLabelRow.import_id).label("import_id"))
        .join(LabelImportRow, LabelImportRow.id == ImportedLabelRow.import_id)
        .where(LabelImportRow.state == ImportState.IN_FORCE)
        .group_by(ImportedLabelRow.image_id)
        .subquery()
    )
    counting = _counts(session, select(last.c.import_id, func.count()).group_by(last.c.import_id))
    rows = session.scalars(select(LabelImportRow).order_by(LabelImportRow.id.desc()))
    return [
        LabelImportSummary(
            import_id=row.id,
            source=row.source,
            path=row.path,
            state=ImportState(row.state),
            created_at=row.created_at.isoformat(),
            images=images.get(row.id, 0),
            counting=counting.get(row.id, 0),
        )
        for row in rows
    ]


def _counts(session: Session, query: Select[int, int]) -> dict[int, int]:
    return dict(session.execute(query).all())
