"""The second stage: its file's hash beside the detector's, and its answers beside the first stage's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS: dict[str, list[sa.Column[object]]] = {
    "model_versions": [sa.Column("crops_sha256", sa.String(length=64), nullable=True)],
    "predictions": [
        sa.Column("crop_probabilities", sa.JSON(), nullable=True),
        sa.Column("crop_weight", sa.Float(precision=53), nullable=True),
    ],
    "detections": [
        sa.Column("crop_species", sa.String(length=64), nullable=True),
        sa.Column("crop_confidence", sa.Float(precision=53), nullable=True),
        sa.Column("crop_probabilities", sa.JSON(), nullable=True),
    ],
}


def upgrade() -> None:
    """Bring the tables to this revision."""
    for table, columns in _COLUMNS.items():
        for column in columns:
            op.add_column(table, column.copy())


def downgrade() -> None:
    """Take this revision back."""
    for table, columns in _COLUMNS.items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column.name)
