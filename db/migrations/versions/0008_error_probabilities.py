"""Doubt is called error probability: two columns, their index and the table of fits change their names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_COLUMNS = {"doubt": "error_probability", "doubt_fit": "error_fit"}
_FITS = ("doubt_fits", "error_fits")


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.drop_index("ix_predictions_doubt", table_name="predictions")
    for old, new in _COLUMNS.items():
        op.execute(f"ALTER TABLE predictions RENAME COLUMN {old} TO {new}")
    op.create_index("ix_predictions_error", "predictions", ["model_version_id", "error_fit", "error_probability"])
    _move_fits(*_FITS)


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index("ix_predictions_error", table_name="predictions")
    for old, new in _COLUMNS.items():
        op.execute(f"ALTER TABLE predictions RENAME COLUMN {new} TO {old}")
    op.create_index("ix_predictions_doubt", "predictions", ["model_version_id", "doubt_fit", "doubt"])
    _move_fits(*reversed(_FITS))


def _move_fits(old: str, new: str) -> None:
    """Make the table anew under its name: SQLite cannot rename the constraints of a table."""
    op.create_table(
        new,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model_version_id", sa.String(length=64), nullable=False),
        sa.Column("weights", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("fitted_on", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_versions.id"], name=op.f(f"fk_{new}_model_version_id_model_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{new}")),
    )
    columns = "id, model_version_id, weights, fitted_on, created_at"
    op.execute(f"INSERT INTO {new} ({columns}) SELECT {columns} FROM {old}")
    op.drop_index(op.f(f"ix_{old}_model_version_id"), table_name=old)
    op.drop_table(old)
    op.create_index(op.f(f"ix_{new}_model_version_id"), new, ["model_version_id"])
    if op.get_bind().dialect.name == "postgresql":
        # Ids that were copied do not move the sequence on.
        newest = f"COALESCE((SELECT MAX(id) FROM {new}), 0)"
        op.execute(f"SELECT setval(pg_get_serial_sequence('{new}', 'id'), {newest} + 1, false)")
