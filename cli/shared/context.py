"""What most commands begin with: the settings, HOME, the database at this version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from db.settings import Settings

PROBLEMS_FOUND = 1


def opened() -> tuple[Settings, Engine]:
    """Return the settings and the database, made or brought up to date."""
    from db.migrate import open_database
    from db.settings import get_settings, make_home
    from db.store.species import project_settings

    settings = get_settings()
    make_home(settings.home)
    engine = open_database(settings.database)
    return project_settings(engine, settings), engine


def model_or_champion(engine: Engine, wanted: str | None) -> str:
    """Return the model version asked for, or the champion.

    Raises:
        NotFoundError: there is no such model, or none yet.
    """
    from db.errors import NotFoundError
    from db.session import reading
    from db.store.model_versions import champion_id, has_model

    with reading(engine) as session:
        if wanted is not None and not has_model(session, wanted):
            raise NotFoundError(f"model {wanted!r}: not held; cli models list shows those that are")
        found = wanted or champion_id(session)
    if found is None:
        raise NotFoundError("no model yet, so no predictions to look at; train one with cli train, or run cli demo")
    return found


def end_with(problems: tuple[str, ...], *, told: bool) -> None:
    """Name what was left out, and end with 1 where something was."""
    if not problems:
        return
    for problem in () if told else problems:
        typer.echo(problem, err=True)
    raise typer.Exit(PROBLEMS_FOUND)
