"""A camera may have a fish size: the size of its typical fish in the nominal frame, and how it is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.add_column("cameras", sa.Column("fish_px", sa.Float(53), nullable=True))
    op.add_column("cameras", sa.Column("fish_size_origin", sa.String(16), nullable=True))


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("cameras") as batch:
        batch.drop_column("fish_size_origin")
        batch.drop_column("fish_px")
