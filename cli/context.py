"""What most commands begin with: the settings, HOME, the database at this version."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from db.settings import Settings


def opened() -> tuple[Settings, Engine]:
    """Return the settings and the database, made or brought up to date."""
    from db.migrate import open_database
    from db.settings import get_settings, make_home

    settings = get_settings()
    make_home(settings.home)
    return settings, open_database(settings.database)
