"""Review plans may draw whole days or trips."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision. Before it every plan drew image by image."""
    op.add_column("review_plans", sa.Column("unit", sa.String(length=16), nullable=False, server_default="image"))
    op.add_column("review_plans", sa.Column("units", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("review_plans", "units")
    op.drop_column("review_plans", "unit")
