"""Predictions tell by which runtime they were made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision. Before it there was one runtime."""
    op.add_column("predictions", sa.Column("runtime", sa.String(length=32), nullable=False, server_default="keras"))


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("predictions", "runtime")
