"""What an image is called after its camera's others were heard stands beside the answer, for queues and sums."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    # NULL: answered before; such a camera is answered again when its job is next settled.
    op.add_column("neighbour_answers", sa.Column("species", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("neighbour_answers") as batch:
        batch.drop_column("species")
