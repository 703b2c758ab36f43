"""Predictions tell how far their image lies from all that the model learnt from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision. Models of before it do not tell."""
    op.add_column("predictions", sa.Column("novelty", sa.Float(53)))


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("predictions", "novelty")
