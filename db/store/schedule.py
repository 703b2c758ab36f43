"""The schedules in the store: since when each says what it says."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.dataset_tables import ScheduleRow
from db.store.upsert import upsert


def in_force_since(session: Session, name: str, setting: str, *, now: datetime) -> datetime:
    """Return since when a schedule has had this setting: from now on where it is new or was changed.

    The caller commits.
    """
    statement = upsert(session, ScheduleRow).values(name=name, setting=setting, since=now)
    changed = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"setting": statement.excluded.setting, "since": statement.excluded.since},
        where=ScheduleRow.setting != statement.excluded.setting,
    )
    session.execute(changed)
    since = session.scalars(select(ScheduleRow.since).where(ScheduleRow.name == name)).one()
    # SQLite gives back times without their zone; all of ours are UTC.
    return since if since.tzinfo else since.replace(tzinfo=UTC)
