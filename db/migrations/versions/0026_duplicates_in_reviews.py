"""Images that show the same are answered by one of them: a thumbnail of each, and who stands for whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Bring the tables to this revision. Images that were read before have no thumbnail, so each stands alone."""
    op.add_column("images", sa.Column("thumbnail", sa.LargeBinary()))
    op.create_table(
        "review_duplicates",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("review_item_id", BigId, sa.ForeignKey("review_items.id"), nullable=False),
        sa.Column("image_id", BigId, sa.ForeignKey("images.id"), nullable=False),
        sa.UniqueConstraint("review_item_id", "image_id"),
    )
    op.create_index("ix_review_duplicates_image_id", "review_duplicates", ["image_id"])


def downgrade() -> None:
    """Take this revision back; answers by duplicates are gone with it."""
    op.drop_index("ix_review_duplicates_image_id", table_name="review_duplicates")
    op.drop_table("review_duplicates")
    op.drop_column("images", "thumbnail")
