"""The tables of the label set: the project's own species, and what files call them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base
from db.tables.types import Moment


class SpeciesRow(Base):
    """One species; position is its place on every species axis that is made from now on."""

    __tablename__ = "species"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    position: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Moment)


class SpeciesAliasRow(Base):
    """Another name of a species, in small letters."""

    __tablename__ = "species_aliases"

    alias: Mapped[str] = mapped_column(String(64), primary_key=True)
    species_id: Mapped[int] = mapped_column(ForeignKey("species.id"), index=True)
