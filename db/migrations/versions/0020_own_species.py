"""The label set moves into the database: that of the models and labels held, none where there are none yet."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_NO_FISH = "NoF"


def upgrade() -> None:
    """Bring the tables to this revision."""
    species = op.create_table(
        "species",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_species")),
        sa.UniqueConstraint("name", name=op.f("uq_species_name")),
    )
    op.create_table(
        "species_aliases",
        sa.Column("alias", sa.String(length=64), nullable=False),
        sa.Column("species_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["species_id"], ["species.id"], name=op.f("fk_species_aliases_species_id_species")),
        sa.PrimaryKeyConstraint("alias", name=op.f("pk_species_aliases")),
    )
    op.create_index(op.f("ix_species_aliases_species_id"), "species_aliases", ["species_id"])
    names = _known_names()
    now = datetime.now(UTC)
    if names:
        op.bulk_insert(
            species, [{"name": name, "position": place, "created_at": now} for place, name in enumerate(names)]
        )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("species_aliases")
    op.drop_table("species")


def _known_names() -> list[str]:
    """The species of the models held, the newest first, and of all labels and corrections."""
    connection = op.get_bind()
    cards = connection.execute(sa.text("SELECT card FROM model_versions ORDER BY created_at DESC")).scalars()
    found: dict[str, None] = {}
    for card in cards:
        held = json.loads(card) if isinstance(card, str) else card
        found.update(dict.fromkeys(str(name) for name in (held or {}).get("species", [])))
    said = " UNION ".join(f"SELECT species FROM {table}" for table in ("labels", "label_boxes", "corrections"))
    drawn = "SELECT species FROM correction_boxes"
    names = connection.execute(sa.text(f"{said} UNION {drawn}")).scalars()
    found.update(dict.fromkeys(sorted(name for name in names if name)))
    return [*found, *([_NO_FISH] if found and _NO_FISH not in found else [])]
