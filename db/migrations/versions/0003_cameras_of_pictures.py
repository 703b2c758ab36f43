"""A picture may have a camera of its own, where its folder holds pictures of many."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    with op.batch_alter_table("images") as batch:
        batch.add_column(sa.Column("camera_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f("fk_images_camera_id_cameras"), "cameras", ["camera_id"], ["id"])
        batch.create_index(op.f("ix_images_camera_id"), ["camera_id"])


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("images") as batch:
        batch.drop_index(op.f("ix_images_camera_id"))
        batch.drop_constraint(op.f("fk_images_camera_id_cameras"), type_="foreignkey")
        batch.drop_column("camera_id")
