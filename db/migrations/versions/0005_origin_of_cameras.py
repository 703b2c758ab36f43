"""A picture's own camera tells how it is known: what a person said is not found anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    with op.batch_alter_table("images") as batch:
        batch.add_column(sa.Column("camera_origin", sa.String(length=16), nullable=True))


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("images") as batch:
        batch.drop_column("camera_origin")
