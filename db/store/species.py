"""The project's label set in the store: held once decided, changed by name, with what files call each species."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session

from db.domain.species import NO_FISH, LabelSet, UnknownSpecies, checked_name, unknown_species_text
from db.errors import TaffrailError
from db.session import reading
from db.settings import Settings
from db.tables.labels import LabelBoxRow, LabelRow
from db.tables.predictions import NeighbourAnswerRow, PredictionRow
from db.tables.reviews import CorrectionBoxRow, CorrectionRow
from db.tables.species import SpeciesAliasRow, SpeciesRow

_PLAIN = {"synchronize_session": False}
# Every column that says in whose words something was labelled or is looked for; a model's own card is not one.
_SAID = (
    (LabelRow, LabelRow.species),
    (LabelBoxRow, LabelBoxRow.species),
    (CorrectionRow, CorrectionRow.species),
    (CorrectionBoxRow, CorrectionBoxRow.species),
    (CorrectionBoxRow, CorrectionBoxRow.species_before),
    (PredictionRow, PredictionRow.species),
    (NeighbourAnswerRow, NeighbourAnswerRow.species),
)


class SpeciesError(TaffrailError):
    """A change of the label set that cannot be made."""


def project_settings(engine: Engine, settings: Settings) -> Settings:
    """Return the settings with the project's label set; unchanged where none was decided yet."""
    with reading(engine) as session:
        held = held_label_set(session)
    return settings.with_label_set(held) if held is not None else settings


def held_label_set(session: Session) -> LabelSet | None:
    """Return the label set that was decided, None before."""
    rows = {row.id: row.name for row in session.scalars(select(SpeciesRow).order_by(SpeciesRow.position))}
    if not rows:
        return None
    aliases = session.execute(select(SpeciesAliasRow.alias, SpeciesAliasRow.species_id))
    return LabelSet(tuple(rows.values()), {alias: rows[species_id] for alias, species_id in aliases})


def decide_label_set(session: Session, label_set: LabelSet) -> LabelSet:
    """Return the label set that is held from now on: one that was decided before stays as it is."""
    held = held_label_set(session)
    if held is not None:
        return held
    _insert(session, label_set.names)
    return label_set


def add_species(session: Session, names: Sequence[str]) -> LabelSet:
    """Return the label set with some species more; the caller commits.

    Raises:
        SpeciesError: a name is one already, or cannot be one.
    """
    held = _decided(session)
    for written in names:
        if (known := held.named(written)) is not None:
            raise SpeciesError(f"{written!r}: is a name of {known} already")
        held = LabelSet((*held.names, _checked(written)), held.aliases)
        _insert(session, [held.names[-1]])
    return held


def add_aliases(session: Session, name: str, aliases: Sequence[str]) -> LabelSet:
    """Return the label set in which a species has some names more; the caller commits.

    Raises:
        UnknownSpecies: there is no such species. SpeciesError: a name means another one already.
    """
    held = _decided(session)
    row = _row(session, held, name)
    for written in aliases:
        known = held.named(written)
        if known is not None and known != row.name:
            raise SpeciesError(f"{written!r}: is a name of {known} already; `cli species merge` makes two species one")
        if known is None:
            session.add(SpeciesAliasRow(alias=_checked(written).lower(), species_id=row.id))
    session.flush()
    return _decided(session)


def rename_species(session: Session, name: str, new: str) -> LabelSet:
    """Return the label set in which a species has another name, and its old one as an alias; the caller commits.

    Labels and corrections say the new name from now on.

    Raises:
        UnknownSpecies: there is no such species. SpeciesError: the new name is another species', or `NoF` is renamed.
    """
    held = _decided(session)
    row = _row(session, held, name)
    old, wanted = row.name, _checked(new)
    known = held.named(wanted)
    if old == NO_FISH:
        raise SpeciesError(f"{NO_FISH} is the label of an image without fish, and keeps its name")
    if known is not None and known != old:
        raise SpeciesError(f"{new!r}: is a name of {known} already; `cli species merge` makes two species one")
    session.execute(delete(SpeciesAliasRow).where(SpeciesAliasRow.alias == wanted.lower()), execution_options=_PLAIN)
    row.name = wanted
    if old.lower() != wanted.lower():
        session.add(SpeciesAliasRow(alias=old.lower(), species_id=row.id))
    _say(session, old, wanted)
    return _decided(session)


def merge_species(session: Session, name: str, into: str) -> LabelSet:
    """Return the label set without a species that is another one from now on, by all its names; the caller commits.

    Raises:
        UnknownSpecies: there is no such species. SpeciesError: both are one, or `NoF` is one of them.
    """
    held = _decided(session)
    gone, kept = _row(session, held, name), _row(session, held, into)
    if gone.id == kept.id or NO_FISH in (gone.name, kept.name):
        raise SpeciesError(f"{gone.name} cannot become {kept.name}: wanted two species of fish")
    _say(session, gone.name, kept.name)
    moved = update(SpeciesAliasRow).where(SpeciesAliasRow.species_id == gone.id).values(species_id=kept.id)
    session.execute(moved, execution_options=_PLAIN)
    session.add(SpeciesAliasRow(alias=gone.name.lower(), species_id=kept.id))
    session.flush()
    session.delete(gone)
    session.flush()
    return _decided(session)


def count_said(session: Session) -> dict[str, int]:
    """Return how many images people or label files called so, by species; also of names that are no species."""
    found: dict[str, int] = {}
    for column in (LabelRow.species, CorrectionRow.species):
        query = select(column, func.count()).where(column.is_not(None)).group_by(column)
        for name, count in session.execute(query):
            found[str(name)] = found.get(str(name), 0) + count
    return found


def _decided(session: Session) -> LabelSet:
    session.flush()
    held = held_label_set(session)
    if held is None:
        raise SpeciesError("no label set yet; `cli labels import` takes it from the files, or name it: cli species add")
    return held


def _row(session: Session, held: LabelSet, name: str) -> SpeciesRow:
    known = held.named(name)
    if known is None:
        raise UnknownSpecies(unknown_species_text(name, held))
    return session.scalars(select(SpeciesRow).where(SpeciesRow.name == known)).one()


def _insert(session: Session, names: Sequence[str]) -> None:
    first = session.scalar(select(func.coalesce(func.max(SpeciesRow.position) + 1, 0))) or 0
    now = datetime.now(UTC)
    rows = [SpeciesRow(name=name, position=first + place, created_at=now) for place, name in enumerate(names)]
    session.add_all(rows)
    session.flush()


def _checked(written: str) -> str:
    try:
        return checked_name(written)
    except ValueError as error:
        raise SpeciesError(str(error)) from None


def _say(session: Session, old: str, new: str) -> None:
    for table, column in _SAID:
        session.execute(update(table).where(column == old).values({column: new}), execution_options=_PLAIN)
