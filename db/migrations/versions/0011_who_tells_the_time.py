"""Images say who told when they were taken: EXIF, a video's container, a name, or a frame rate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.add_column("images", sa.Column("captured_from", sa.String(length=16), nullable=True))
    op.execute("UPDATE images SET captured_from = 'exif' WHERE captured_at IS NOT NULL")


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("images", "captured_from")
